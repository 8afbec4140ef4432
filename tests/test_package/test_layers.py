"""Imports follow the layers that docs/architecture.md documents."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / 'docs' / 'architecture.md').read_text(encoding='utf-8')
LAYERS = [line.split() for line in re.search(
    r'```text title="layers"\n(.*?)```', PAGE, re.DOTALL)[1].splitlines()]
LAYER_OF = {package: number for number, layer in enumerate(LAYERS) for package in layer}
PACKAGES = sorted(path.stem for path in (ROOT / 'glip_mm').iterdir()
                  if (path / '__init__.py').is_file()
                  or path.suffix == '.py' and not path.stem.startswith('__'))


def modules_in(folder):
    return [path for path in (ROOT / folder).rglob('*.py') if '.mim' not in path.parts]


def imports_of(path, nodes=ast.walk):
    """Absolute names of what a module imports, and the lines where it does."""
    package = path.relative_to(ROOT).parent.parts
    for node in nodes(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[:len(package) - node.level + 1] if node.level else ()
            base = '.'.join([*start, *([node.module] if node.module else [])])
            # from . import x: the name may be a module
            yield from ((f'{base}.{alias.name}', node.lineno) for alias in node.names)


def test_every_package_has_one_layer():
    assert sorted(LAYER_OF) == PACKAGES
    assert sum(map(len, LAYERS)) == len(LAYER_OF)


@pytest.mark.parametrize('package', PACKAGES)
def test_a_package_imports_only_from_the_layers_above(package):
    place = ROOT / 'glip_mm' / package
    for path in modules_in(place) if place.is_dir() else [place.with_suffix('.py')]:
        for name, line in imports_of(path):
            top, _, rest = name.partition('.')
            assert top not in ('tools', 'demo', 'dev', 'tests'), f'{path}:{line}'
            other = rest.split('.')[0]
            if top == 'glip_mm' and other in LAYER_OF and other != package:
                above = LAYER_OF[other] < LAYER_OF[package] or LAYER_OF[package] == 0 == (
                    LAYER_OF[other])
                assert above, f'{path}:{line}: {package} imports {other}; see docs/architecture.md'


def test_text_knows_nothing_of_ours_but_workarounds():
    for path in modules_in('glip_mm/text'):
        ours = {name.split('.')[1] for name, _ in imports_of(path) if name.startswith('glip_mm.')}
        assert ours <= {'text', 'compat', 'limits'}, path


def test_command_lines_import_the_package_late():
    for path in modules_in('glip_mm_cli'):
        early = [name for name, _ in imports_of(path, lambda tree: tree.body)]
        assert not [name for name in early if name.split('.')[0] in ('glip_mm', 'torch')], path


def test_the_page_names_every_package():
    for package in PACKAGES:
        assert f'`glip_mm.{package}`' in PAGE or f'`{package}`' in PAGE, package


def test_files_that_the_page_names_exist():
    named = set(re.findall(r'`((?:\w+/)+\w+\.(?:py|json))`', PAGE))
    assert len(named) > 20
    for name in named:
        assert (ROOT / name).is_file() or (ROOT / 'glip_mm' / name).is_file(), name
