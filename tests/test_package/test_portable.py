"""What other systems than Linux need."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for folder in ('glip_mm', 'glip_mm_cli', 'tools', 'demo')
                 for path in (ROOT / folder).rglob('*.py') if '.mim' not in path.parts)
#: Imports all files that are named, with what Windows lacks refused to them and to them alone.
ELSEWHERE = """
import builtins, importlib, os, runpy, sys
root, missing = sys.argv[1], ('fcntl', 'resource', 'pwd', 'grp', 'termios')
original = builtins.__import__

def limited(name, globals=None, locals=None, fromlist=(), level=0):
    file = (globals or {}).get('__file__') or ''
    ours = file.startswith(root) and 'site-packages' not in file
    if name.partition('.')[0] in missing and ours:
        raise ImportError(f'{file} imports {name}')
    return original(name, globals, locals, fromlist, level)

builtins.__import__ = limited
for name in ('pread', 'fork', 'sched_getaffinity'):
    delattr(os, name)
for path in sys.argv[2:]:
    parts = os.path.relpath(path, root)[:-3].split(os.sep)
    try:
        if parts[0] in ('glip_mm', 'glip_mm_cli'):
            name = '.'.join(parts)
            importlib.import_module(name[:-len('.__init__')] if parts[-1] == '__init__' else name)
        else:
            sys.path.insert(0, os.path.dirname(path))
            runpy.run_path(path, run_name='tool')
            del sys.path[0]
    except ModuleNotFoundError as error:  # optional packages
        if error.name.partition('.')[0] not in (
                'triton', 'ray', 'onnx', 'onnxruntime', 'spacy', 'fastapi', 'starlette', 'gradio'):
            raise
"""


def is_text_file(call):
    """Whether a call opens a text file and names no encoding."""
    if isinstance(call.func, ast.Attribute):
        name, modes = call.func.attr, call.args
        if name == 'read_text':
            return not call.args
        if name == 'write_text':
            return len(call.args) < 2
        if name != 'open' or ast.unparse(call.func.value).endswith(
                ('Image', 'os', 'tarfile', 'archive')):
            return False
    elif isinstance(call.func, ast.Name) and call.func.id == 'open':
        modes = call.args[1:]
    else:
        return False
    modes = [*modes, *(k.value for k in call.keywords if k.arg == 'mode')]
    return not any("b'" in ast.unparse(mode) for mode in modes)


def test_text_files_name_their_encoding():
    # without one they are read and written in the encoding of the machine
    found = [f'{path.relative_to(ROOT)}:{node.lineno}' for path in SOURCES
             for node in ast.walk(ast.parse(path.read_text(encoding='utf-8')))
             if isinstance(node, ast.Call) and is_text_file(node)
             and not any(k.arg in ('encoding', None) for k in node.keywords)]
    assert not found


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='is on such a system')
def test_everything_is_imported_where_posix_is_missing():
    files = [path for path in SOURCES if path.name != '__main__.py'
             and not ('tools' in path.parts and path.parent.name in (
                 'experiments', 'parity', 'speed'))]
    done = subprocess.run([sys.executable, '-c', ELSEWHERE, str(ROOT), *map(str, files)], cwd=ROOT,
                          capture_output=True, text=True,
                          env={**os.environ, 'PYTHONPATH': str(ROOT)})
    assert done.returncode == 0, done.stderr[-3000:]


def test_pieces_of_files_are_read_without_pread(tmp_path, monkeypatch):
    from glip_mm.datasets.storage.sources import read_bytes
    (tmp_path / 'a').write_bytes(b'0123456789')
    monkeypatch.delattr(os, 'pread', raising=False)
    assert read_bytes(str(tmp_path / 'a'), 3, 4) == b'3456'
    assert read_bytes(str(tmp_path / 'a'), 0, 2) == b'01'
    with pytest.raises(EOFError, match='ends before byte 12'):
        read_bytes(str(tmp_path / 'a'), 8, 4)


def test_memory_without_resource(monkeypatch):
    from glip_mm.peak_memory import peak_rss
    assert peak_rss() > 2**20 and peak_rss(children=True) >= peak_rss() - 2**20
    monkeypatch.setitem(sys.modules, 'resource', None)
    monkeypatch.setitem(sys.modules, 'psutil', None)
    assert peak_rss() is None


def test_no_config_names_a_file_that_windows_refuses():
    listed = subprocess.run(['git', 'ls-files'], cwd=ROOT, capture_output=True, text=True)
    assert not [name for name in listed.stdout.splitlines() if set(name) & set('<>:"|?*\\')]
