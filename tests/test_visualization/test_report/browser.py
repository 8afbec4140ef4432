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


def look_at(browser, path, width, scheme):
    """Open a page of ours as wide as a phone or a desk; it must be whole, and fit.

    Returns what there is: ``images``, heights of ``plots``, ``links`` of its navigation.
    """
    context = browser.new_context(viewport=dict(width=width, height=844), color_scheme=scheme)
    page = context.new_page()
    complaints = []
    page.on('console', lambda m: complaints.append(m.text) if m.type in ('error', 'warning')
            else None)
    page.on('pageerror', lambda error: complaints.append(str(error)))
    page.on('requestfailed', lambda request: complaints.append(request.url[:80]))
    requests = []
    page.on('request', lambda request: requests.append(request.url[:80]))
    page.goto(path.as_uri())
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
        columns: new Set([...document.querySelectorAll('.pictures figure')].map(
            f => Math.round(f.getBoundingClientRect().left))).size,
        styled: getComputedStyle(document.body).backgroundColor,
        ink: getComputedStyle(document.querySelector('svg text')).fill,
        lines: document.querySelectorAll('h1').length})''')
    context.close()
    assert complaints == []
    assert all(url.startswith(('file:', 'data:')) for url in requests)
    assert state['broken'] == 0
    assert state['width'] <= width
    assert min(state['plots']) > 60
    assert state['narrow'] == 0
    assert len(set(state['ids'])) == len(state['ids'])
    assert set(state['links']) <= set(state['ids'])
    background, ink = (sum(map(int, state[key][4:-1].split(','))) for key in ('styled', 'ink'))
    assert (background > 600 and ink < 400) if scheme == 'light' else \
        (background < 150 and ink > 400)
    return state
