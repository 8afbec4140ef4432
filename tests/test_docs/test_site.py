"""Links lead somewhere, every page is in the navigation, and all places name one version."""

import re
from pathlib import Path

import pytest

from glip_mm import __version__

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / 'docs').glob('*.md')),
         *(ROOT / f'{name}.md' for name in ('README', 'CONTRIBUTING', 'CHANGELOG'))]


def prose(page):
    return re.sub(r'^```.*?^```|`[^`\n]*`', '', page.read_text(encoding='utf-8'),
                  flags=re.DOTALL | re.MULTILINE)


def anchors(page):
    """Anchors of the headings, as GitHub and MkDocs make them."""
    text = re.sub(r'^```.*?^```', '', page.read_text(encoding='utf-8'), flags=re.M | re.S)
    return {re.sub(r'[\s-]+', '-', re.sub(r'[^\w\s-]', '', heading).strip().lower())
            for heading in re.findall(r'^#+ (.*)$', text, re.M)}


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for target in re.findall(r'\]\(([^)\s]+)\)', prose(page)):
        if '://' in target:
            continue
        name, _, anchor = target.partition('#')
        file = page.parent / name if name else page
        assert file.exists(), f'{page.name}: {target}'
        assert not anchor or anchor in anchors(file), f'{page.name}: {target}'


def test_every_page_is_in_the_navigation():
    named = re.findall(r'^ +- (?:\w+: )?([\w]+)\.md$',
                       (ROOT / 'mkdocs.yml').read_text(encoding='utf-8'), re.M)
    pages = {'index', 'contributing', 'changelog', *(page.stem for page in PAGES
                                                     if page.parent.name == 'docs')}
    assert len(named) == len(set(named)) and set(named) == pages


def test_one_version():
    citation = (ROOT / 'CITATION.cff').read_text(encoding='utf-8')
    assert re.search(r'^version: (.*)$', citation, re.M)[1] == __version__
    changelog = (ROOT / 'CHANGELOG.md').read_text(encoding='utf-8')
    versions = re.findall(r'^## (.*)$', changelog, re.M)
    assert __version__ in versions[:2]
    released = [tuple(map(int, version.split('.'))) for version in versions if version[0].isdigit()]
    assert released == sorted(released, reverse=True)
