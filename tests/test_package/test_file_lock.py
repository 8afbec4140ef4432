"""The lock that indexes, labels and experiments share."""

import subprocess
import sys
from pathlib import Path

from glip_mm.file_lock import exclusive

ROOT = Path(__file__).parents[2]
HOLD = """
import importlib.util, sys, time
from pathlib import Path
spec = importlib.util.spec_from_file_location('file_lock', sys.argv[1])
file_lock = importlib.util.module_from_spec(spec)
spec.loader.exec_module(file_lock)
with file_lock.exclusive(Path(sys.argv[2])):
    print('held', flush=True)
    time.sleep(60)
"""


def holder(path):
    process = subprocess.Popen(
        [sys.executable, '-c', HOLD, str(ROOT / 'glip_mm' / 'file_lock.py'), str(path)],
        stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == 'held\n'
    return process


def test_a_killed_process_holds_no_lock(tmp_path):
    path = tmp_path / 'folder' / 'lock'
    process = holder(path)
    with exclusive(path, wait=False) as mine:
        assert not mine
    process.kill()
    process.wait()
    with exclusive(path, wait=False) as mine:
        assert mine
    with exclusive(path) as mine:
        assert mine
    assert path.is_file()


def test_who_did_not_get_it_does_not_give_it_back(tmp_path):
    with exclusive(tmp_path / 'a') as mine:
        with exclusive(tmp_path / 'a', wait=False) as second:
            assert mine and not second
        with exclusive(tmp_path / 'a', wait=False) as third:
            assert not third
