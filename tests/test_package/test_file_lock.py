"""The lock that indexes, labels and experiments share."""

import errno
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from glip_mm.file_lock import FolderInUse, exclusive, writing_into
from tests import forked

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


WRITE = '''
import importlib.util, os, sys, time
spec = importlib.util.spec_from_file_location('file_lock', sys.argv[1])
file_lock = importlib.util.module_from_spec(spec)
spec.loader.exec_module(file_lock)
with file_lock.writing_into(sys.argv[2]):
    if os.fork() == 0:  # as a worker of a data loader
        print('held', flush=True)
    time.sleep(60)
'''


def test_a_folder_is_written_by_one_process(tmp_path):
    process = subprocess.Popen(
        [sys.executable, '-c', WRITE, str(ROOT / 'glip_mm' / 'file_lock.py'), str(tmp_path)],
        stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout.readline() == 'held\n'
        with pytest.raises(FolderInUse, match=f"'{tmp_path}' is in use by process {process.pid} "
                           f'on {socket.gethostname()} since 20'), writing_into(tmp_path):
            pass
        process.kill()
        process.wait()
        with writing_into(tmp_path), writing_into(f'{tmp_path}/.'):  # its worker still runs
            pass
    finally:
        os.killpg(process.pid, 9)


def test_the_first_process_of_a_job_holds_the_lock(tmp_path, monkeypatch):
    monkeypatch.setenv('RANK', '1')
    with writing_into(tmp_path / 'a', 'pytorch'):
        assert not (tmp_path / 'a').exists()
    monkeypatch.setenv('RANK', '0')
    with writing_into(tmp_path / 'a', 'pytorch'):
        assert json.loads((tmp_path / 'a' / '.lock').read_text())['pid'] == os.getpid()
    # a program that looks like one of many, and is not started so
    monkeypatch.setenv('SLURM_PROCID', '3')
    with writing_into(tmp_path / 'b'):
        assert (tmp_path / 'b' / '.lock').is_file()


@pytest.mark.parametrize('words', [
    ['analysis_tools/tune_prompts.py', '--data', '.', '--checkpoint', 'a.pth', '--work-dir', 'out'],
    ['misc/interpolate_weights.py', 'a.pth', 'a.pth', '--out', 'out'],
    ['analysis_tools/eval_metric.py', 'out'], [
        'odinw.py', '--data', '.', '--checkpoint', 'a.pth', '--work-dir', 'out'],
    ['finetune.py', '--data', '.', '--checkpoint', 'a.pth', '--work-dir', 'out']])
def test_every_tool_that_goes_on_in_a_folder(words, tmp_path):
    (tmp_path / 'a.pth').write_text('')
    (tmp_path / 'out' / 'predictions').mkdir(parents=True)
    with writing_into(tmp_path / 'out'):
        done = forked.run(ROOT / 'tools' / words[0], *words[1:], cwd=tmp_path)
    said = [line for line in done.stderr.splitlines() if 'is in use by' in line]
    assert done.returncode in (1, 2) and len(said) == 1, done
    assert f"'out' is in use by process {os.getpid()} " in said[0]
    assert 'Traceback' not in done.stderr
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['.lock', 'predictions']


def test_a_full_disk_without_a_name_is_that_of_the_folder(tmp_path):
    with pytest.raises(OSError, match='No space') as caught, writing_into(tmp_path / 'a'):
        raise OSError(errno.ENOSPC, 'No space left on device')  # as of a log file
    assert caught.value.filename == str(tmp_path / 'a')
    with pytest.raises(OSError, match='No space') as caught, writing_into(tmp_path / 'a'):
        raise OSError(errno.ENOSPC, 'No space left on device', 'b')
    assert caught.value.filename == 'b'
