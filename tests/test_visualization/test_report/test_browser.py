"""The page in a real browser: on a phone and on a desk, in light and in dark."""

import pytest

from .browser import open_browser

WIDTHS = (390, 1440)


@pytest.fixture(scope='module')
def browser():
    with open_browser() as opened:
        yield opened


@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('width', WIDTHS)
def test_page_looks_right(browser, report, width, scheme):
    context = browser.new_context(viewport=dict(width=width, height=844), color_scheme=scheme)
    page = context.new_page()
    complaints = []
    page.on('console', lambda m: complaints.append(m.text) if m.type in ('error', 'warning')
            else None)
    page.on('pageerror', lambda error: complaints.append(str(error)))
    page.on('requestfailed', lambda request: complaints.append(request.url[:80]))
    requests = []
    page.on('request', lambda request: requests.append(request.url[:80]))
    page.goto((report / 'index.html').as_uri())
    page.evaluate('''async () => {
        document.querySelectorAll('details').forEach(d => d.open = true)
        const images = [...document.images]
        images.forEach(i => i.loading = 'eager')
        await Promise.all(images.map(i => i.decode().catch(() => 0)))
    }''')
    state = page.evaluate('''() => ({
        images: document.images.length,
        broken: [...document.images].filter(i => !i.complete || !i.naturalWidth).length,
        width: document.documentElement.scrollWidth,
        plots: [...document.querySelectorAll('svg')].map(s => s.getBoundingClientRect().height),
        narrow: [...document.querySelectorAll('.card svg')].filter(
            s => !s.closest('.scroll') && s.getBoundingClientRect().right > innerWidth).length,
        ids: [...document.querySelectorAll('[id]')].map(e => e.id),
        links: [...document.querySelectorAll('nav a')].map(a => a.getAttribute('href').slice(1)),
        styled: getComputedStyle(document.body).backgroundColor,
        ink: getComputedStyle(document.querySelector('svg text')).fill,
        lines: document.querySelectorAll('h1').length})''')
    context.close()
    assert complaints == []
    assert all(url.startswith(('file:', 'data:')) for url in requests)
    # 2 runs x 3 data sets x (false, missed) x up to 3
    assert state['images'] > 20 and state['broken'] == 0
    assert state['width'] <= width
    assert len(state['plots']) > 20 and min(state['plots']) > 60
    assert state['narrow'] == 0
    assert len(set(state['ids'])) == len(state['ids'])
    assert set(state['links']) <= set(state['ids'])
    background, ink = (sum(map(int, state[key][4:-1].split(','))) for key in ('styled', 'ink'))
    assert (background > 600 and ink < 400) if scheme == 'light' else \
        (background < 150 and ink > 400)
