"""A headless browser, where there is one."""

import contextlib
import shutil

import pytest

NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome')


@contextlib.contextmanager
def open_browser():
    """Chromium, driven by Playwright; skips the test where either is missing."""
    reason = 'needs Playwright (pip install playwright)'
    api = pytest.importorskip('playwright.sync_api', reason=reason)
    path = next(filter(None, map(shutil.which, NAMES)), None)
    with api.sync_playwright() as playwright:
        path = path or _bundled(playwright)
        if path is None:
            pytest.skip('needs Chromium: apt-get install chromium, or playwright install chromium')
        # as root, as in a container, there is no sandbox
        browser = playwright.chromium.launch(executable_path=path, args=['--no-sandbox'])
        try:
            yield browser
        finally:
            browser.close()


def _bundled(playwright):
    from pathlib import Path
    path = playwright.chromium.executable_path
    return path if Path(path).is_file() else None
