"""Every message that docs/troubleshooting.md quotes is one that the code gives."""

import ast
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / 'docs' / 'troubleshooting.md'
VARIABLE = '\0'


def text_of(node):
    """A string, an f-string or a sum of these, variable parts as one sign; None for all else."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return ''.join(part.value if isinstance(part, ast.Constant) else VARIABLE
                       for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = text_of(node.left), text_of(node.right)
        if left is not None or right is not None:
            return (left or VARIABLE) + (right or VARIABLE)
    return None


def messages(folder):
    found = []
    for path in sorted(folder.rglob('*.py')):
        tree = ast.parse(path.read_text(encoding='utf-8'))
        found += [text for text in map(text_of, ast.walk(tree)) if text]
    return found


def quoted(own):
    """The first cell of every row, of our messages or of those of other packages."""
    ours, _, others = PAGE.read_text(encoding='utf-8').partition('## Messages of MMDetection')
    rows = re.findall(r'^\| `(.+?)` \|', ours if own else others, flags=re.M)
    assert len(rows) == len(re.findall(r'^\| (?!message|---)', ours if own else others, flags=re.M))
    return rows


def pattern(fragment):
    return re.compile('.*'.join(map(re.escape, fragment.split(' … '))), flags=re.S)


@pytest.fixture(scope='module')
def sources():
    return messages(ROOT / 'glip_mm')


@pytest.mark.parametrize('fragment', quoted(own=True))
def test_the_code_says_it(fragment, sources):
    # both pieces around a variable part must stand in one message
    assert any(pattern(fragment).search(text) for text in sources), fragment


@pytest.mark.parametrize('fragment', quoted(own=False))
def test_the_other_packages_say_it(fragment):
    folders = [Path(find_spec(name).origin).parent for name in ('mmdet', 'mmengine')]
    files = [folders[0] / '__init__.py', folders[0] / 'evaluation/metrics/coco_metric.py',
             folders[1] / 'registry/registry.py',
             folders[1] / 'registry/build_functions.py']
    text = ' '.join(re.sub(r"'\s*\n\s*f?'", '', path.read_text()) for path in files)
    assert pattern(fragment).search(text), fragment


def test_no_message_is_explained_twice():
    rows = quoted(own=True) + quoted(own=False)
    assert len(set(rows)) == len(rows) > 60
