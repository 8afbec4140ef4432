"""What importing the package does, and does not do."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.registry import Registry

from glip_mm import registry
from tests import forked, fresh

ROOT = Path(__file__).parents[2]
OFFLINE = """
import socket, sys
def refuse(*args, **kwargs):
    raise AssertionError('the network was asked')
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
"""


def run(code):
    return fresh.run(OFFLINE + code)


def test_importing_asks_no_network_and_loads_no_model():
    done = run('import glip_mm\n'
               'print(*(name for name in sys.modules if name.startswith('
               '("transformers", "tokenizers", "glip_mm.models", "mmdet.models"))))')
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_the_network_is_watched():
    assert 'the network was asked' in run('socket.create_connection(("localhost", 1))').stderr


def test_text_needs_no_tokenizer():
    done = run('import glip_mm.text\nprint("transformers" in sys.modules)')
    assert done.stdout.strip() == 'False', done.stderr


def test_bare_names_under_our_scope_and_prefixed_ones_under_mmdets():
    done = forked.run('-c', '''
import glip_mm
from mmengine.registry import DefaultScope, init_default_scope
from mmdet.registry import MODELS as THEIRS
from glip_mm.registry import MODELS as OURS
from glip_mm.models import GLIP
assert OURS.get('GLIP') is GLIP and THEIRS.get('glip_mm.GLIP') is GLIP
assert THEIRS.get('GLIP') is not GLIP
assert OURS.get('FPN') is THEIRS.get('FPN')
''')
    assert done.returncode == 0, done.stderr


def test_every_registry_says_where_its_modules_are():
    # MMEngine says of one that does not that glip_mm is not installed
    ours = [r for r in vars(registry).values() if isinstance(r, Registry)]
    assert len(ours) > 15
    assert [r.name for r in ours if not r._locations] == []


def test_every_folder_with_code_is_a_package():
    for file in (ROOT / 'glip_mm').rglob('*.py'):
        if '.mim' not in file.parts:
            assert (file.parent / '__init__.py').is_file(), file


def test_importing_the_inferencer_costs_little_more_than_torch():
    code = ('import time\nimport torch\nprint(time.process_time())\n'
            'from glip_mm.apis import GLIPInferencer\nprint(time.process_time())')
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    torch, ours = map(float, done.stdout.split())
    assert ours < 2.5 * torch, (ours, torch)


@pytest.mark.parametrize('name', ['apis', 'visualization'])
def test_lazy_packages_export_what_they_list(name):
    package = importlib.import_module(f'glip_mm.{name}')
    assert all(getattr(package, export) is not None for export in package.__all__)
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match="has no attribute 'no_such'"):
        _ = package.no_such


def test_the_inferencer_alone_imports_no_models():
    done = run('from glip_mm.apis import GLIPInferencer\nimport sys\n'
               'print(*(name for name in ("transformers", "peft", "mmdet.models", "scipy", '
               '"pycocotools", "matplotlib.pyplot") if name in sys.modules))')
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
