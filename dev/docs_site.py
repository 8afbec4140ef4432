"""Hooks of MkDocs: pages that stand outside ``docs/``, links that lead there, and the reference.

* README, CONTRIBUTING and CHANGELOG become pages, and each package of glip_mm a page of the
  reference with all its modules; no text exists twice.
* A link to a file outside ``docs/`` leads to ``repo_url`` (``mkdocs.yml``); without one its text
  stays and the link goes. A link to a file that is not there ends a strict build either way.
"""

import logging
import os
import re
from pathlib import Path, PurePosixPath

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
#: Files of the repository's root that are pages of the site.
PAGES = {'README.md': 'index.md', 'CONTRIBUTING.md': 'contributing.md',
         'CHANGELOG.md': 'changelog.md'}
SOURCES = {page: source for source, page in PAGES.items()}
LINK = re.compile(r'(?P<before>!?\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\()(?P<target>[^)\s]+)\)')
CODE = re.compile(r'(^```.*?^```|`[^`\n]+`)', re.DOTALL | re.MULTILINE)
ROLE = re.compile(r':(?:func|class|meth|mod|attr|data|obj):`~?([^`]+)`')

log = logging.getLogger('mkdocs.hooks.docs_site')


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that stand outside ``docs/``, and those of the reference."""
    for source, page in PAGES.items():
        text = (ROOT / source).read_text(encoding='utf-8')
        files.append(File.generated(config, page, content=text))
    for section in config.nav:
        for page in next(iter(section.values())):
            if isinstance(page, str) and page.startswith('reference/'):
                files.append(File.generated(config, page, content=reference(Path(page).stem)))
    return files


def reference(package: str) -> str:
    """Return the page of a package: every module of it, in the order of the names."""
    modules = ['.'.join(path.relative_to(ROOT).with_suffix('').parts)
               for path in sorted((ROOT / 'glip_mm' / package).rglob('*.py'))]
    modules = [module.removesuffix('.__init__') for module in modules]
    return f'# glip_mm.{package}\n\n' + '\n'.join(f'::: {module}\n' for module in sorted(modules))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to where their targets are on the site or in the repository."""
    name = page.file.src_uri
    folder = PurePosixPath(SOURCES[name]).parent if name in SOURCES else PurePosixPath('docs', name
                                                                                       ).parent

    def lead(match: re.Match) -> str:
        target, _, anchor = match['target'].partition('#')
        if not target or '://' in target or target.startswith('mailto:'):
            return match[0]
        path = os.path.normpath(folder / target).replace(os.sep, '/')
        if not (ROOT / path).exists():
            log.warning("'%s' links to '%s', which is not there", name, match['target'])
            return match[0]
        found = PAGES.get(path) or (path[len('docs/'):] if path.startswith('docs/') else None)
        if found is not None:
            place = os.path.relpath(found, PurePosixPath(name).parent).replace(os.sep, '/')
        elif config.repo_url:
            kind = 'tree' if (ROOT / path).is_dir() else 'blob'
            place = f"{config.repo_url.rstrip('/')}/{kind}/HEAD/{path}"
        else:
            return match['text']
        return f"{match['before']}{place}{'#' + anchor if anchor else ''})"

    # a picture's own brackets are part of a link's text; code is left as it is
    parts = CODE.split(markdown)
    text = ''.join(f'\0{index}\0' if index % 2 else part for index, part in enumerate(parts))
    text = LINK.sub(lead, text)
    return re.sub('\0(\\d+)\0', lambda match: parts[int(match[1])], text)


class Docstrings(griffe.Extension):
    """What Google's docstrings here have that MkDocs does not know: roles and one example."""

    def on_instance(self, *, obj: griffe.Object, **_: object) -> None:
        """Change a docstring before it is parsed."""
        if obj.docstring is not None:
            text = ROLE.sub(r'`\1`', obj.docstring.value)
            obj.docstring.value = re.sub(r'(?m)^( *)Example:$', r'\1Examples:', text)
