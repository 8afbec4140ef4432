"""The page in a real browser: on a phone and on a desk, in light and in dark."""

import pytest

from .browser import look_at, open_browser

WIDTHS = (390, 1440)


@pytest.fixture(scope='module')
def browser():
    with open_browser() as opened:
        yield opened


@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('width', WIDTHS)
def test_page_looks_right(browser, report, width, scheme):
    state = look_at(browser, report / 'index.html', width, scheme)
    # 2 runs x 3 data sets x (false, missed) x up to 3
    assert state['images'] > 20
    assert len(state['plots']) > 20
