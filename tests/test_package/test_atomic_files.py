"""What killed processes began is deleted when a job begins that writes the same files."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

from glip_mm.atomic_files import remove_temporary, write_atomically
from glip_mm.datasets.converters import TSVBundle
from glip_mm.datasets.converters.command import convert
from glip_mm.datasets.converters.records import Records
from glip_mm.datasets.converters.tsv import ImageRows, ImageWriter
from glip_mm.datasets.report import Report
from glip_mm.datasets.storage import open_or_build
from glip_mm.file_lock import writing_into
from tests.test_datasets.test_converters.test_tsv import bundle  # noqa: F401

DEAD = 99999977  # more than any system has


def test_only_of_processes_that_are_gone(tmp_path):
    for process in (DEAD, os.getpid(), os.getppid()):
        (tmp_path / f'.a.{process}.tmp').touch()
    for name in ('.b.tmp', f'.b.{DEAD}.tmp', 'a'):
        (tmp_path / name).touch()
    remove_temporary(tmp_path, 'a')
    assert sorted(os.listdir(tmp_path)) == sorted([
        f'.a.{os.getppid()}.tmp', f'.b.{DEAD}.tmp', '.b.tmp', 'a'])
    remove_temporary(tmp_path / 'missing', 'a')


def convert_rows(folder):
    row = dict(filename='a.jpg', height=4, width=4, detection=dict(instances=[
        dict(bbox=[0, 0, 2, 2], label=0, category='cat')]))
    convert(Records(iter([row]), {0: 'cat'}, 1, Report('rows')), folder / 'file',
            folder / 'map.json')


def build_index(folder):
    open_or_build(folder / 'file', [], [('a', pa.int32())], lambda: iter([(1, )]))


def begin_job(folder):
    with writing_into(folder):
        pass


@pytest.mark.parametrize('begin', [convert_rows, build_index, begin_job])
def test_at_the_next_start(begin, tmp_path):
    (tmp_path / f'.file.{DEAD}.tmp').touch()
    begin(tmp_path)
    assert not list(tmp_path.glob('.*.tmp'))


def test_in_the_folders_of_a_job_but_not_in_those_of_another(tmp_path):
    for folder in ('preflight', 'test/pictures', 'test'):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / f'.a.jpg.{DEAD}.tmp').touch()
    (tmp_path / 'test' / '.lock').touch()
    begin_job(tmp_path)
    assert sorted(p.parent.name for p in tmp_path.rglob('.*.tmp')) == ['pictures', 'test']
    begin_job(tmp_path / 'test')
    assert not list(tmp_path.rglob('.*.tmp'))


@pytest.mark.parametrize('make, words', [(os.mkdir, 'is a folder'), (os.mkfifo, 'is a pipe')])
def test_what_is_no_file_is_not_replaced(make, words, tmp_path):
    make(tmp_path / 'out.jsonl')
    with pytest.raises(OSError, match=words):
        write_atomically(tmp_path / 'out.jsonl', b'1')
    assert os.listdir(tmp_path) == ['out.jsonl'] and not (tmp_path / 'out.jsonl').is_file()


def test_of_images_that_are_written(bundle, tmp_path):  # noqa: F811
    (tmp_path / f'.k7.jpg.{DEAD}.tmp').touch()
    ImageWriter(ImageRows(TSVBundle(bundle)), tmp_path)
    assert not list(tmp_path.glob('.*.tmp'))


@pytest.mark.skipif(sys.platform != 'linux', reason='asks /proc')
def test_a_killed_process_that_nobody_asked_for_its_end_is_dead(tmp_path):
    process = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)
    left = tmp_path / f'.a.json.{process.pid}.tmp'
    left.touch()
    remove_temporary(tmp_path, r'a\.json')
    assert left.exists()
    os.kill(process.pid, signal.SIGKILL)
    stat = Path(f'/proc/{process.pid}/stat')
    while b') Z' not in stat.read_bytes():
        time.sleep(0.01)
    remove_temporary(tmp_path, r'a\.json')
    assert not left.exists()
    process.communicate()
