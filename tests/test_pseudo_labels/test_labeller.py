"""Exactly once, whatever happens in between. The teacher is a stub: who labels is not at issue."""

import errno
import json
import os
import random
import shutil
import signal
import tarfile
import time
from pathlib import Path

import pytest
import torch

from glip_mm.file_lock import exclusive
from glip_mm.pseudo_labels import LostShards, find_shards, label
from tests import forked

from .test_sources import write_tar

ROOT = Path(__file__).parents[2]
STUB = '''
import sys, time
import torch
from glip_mm.pseudo_labels import find_shards, label
from glip_mm.pseudo_labels.sample import Reject
from glip_mm.pseudo_labels.teacher import Ready


class Stub:
    def __init__(self, delay=0.):
        self.delay = delay

    def prepare(self, sample):
        number = int(sample.name)
        if number % 7 == 0:
            return Reject(sample, 'no phrase')
        side = 32 * (1 + number % 3)
        return Ready(sample, [], (side, side), dict(inputs=torch.zeros(3, side, side)))

    def label(self, batch):
        time.sleep(self.delay)
        if len({r.size for r in batch}) > 2:
            raise AssertionError('images of unlike shape in one batch')
        # a label tells who stood beside it: batches must not depend on what was interrupted
        names = '+'.join(r.sample.name for r in batch)
        return [Reject(r.sample, 'no box') if int(r.sample.name) % 5 == 0 else
                dict(filename=r.sample.name, beside=names) for r in batch]
'''
SCRIPT = STUB + '''
data, out, rank, world = sys.argv[1:]
open(out + '.begun', 'w').close()
label(find_shards(data, out, shard_size=40), Stub(0.004), out, batch_size=4, rank=int(rank),
      world_size=int(world), poll=0.05)
'''
namespace: dict = dict(__name__=__name__)  # so that Ray's actors find the class
exec(STUB, namespace)
Stub = namespace['Stub']


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp('data') / 'rows.jsonl'
    path.write_text(''.join(json.dumps(dict(filename=str(i), caption='x')) + '\n'
                            for i in range(230)))
    (path.parent / '0').touch()  # an image that exists is enough for a start
    return path


@pytest.fixture(scope='module')
def unbroken(data, tmp_path_factory):
    out = tmp_path_factory.mktemp('unbroken')
    counts = label(find_shards(data, out, shard_size=40), Stub(), out, batch_size=4)
    assert sum(counts.values()) == 230
    return contents(out)


def contents(folder: Path) -> dict:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob('*'))
            if p.is_file() and 'claims' not in p.parts}


def start(data, out, rank=0, world=1):
    return forked.Program('-c', SCRIPT, data, out, rank, world, cwd=ROOT)


def test_results(unbroken):
    assert sorted(unbroken) == [*(f'labels/0000{i}.jsonl' for i in range(6)), 'rejects.jsonl',
                              *(f'rejects/0000{i}.jsonl' for i in range(6)), 'source.json',
                              'summary.json']
    rows = [json.loads(line) for i in range(6)
            for line in unbroken[f'labels/0000{i}.jsonl'].splitlines()]
    rejects = [json.loads(line) for line in unbroken['rejects.jsonl'].splitlines()]
    # in the order of the data, each once, in labels or in rejects
    assert [int(r['filename']) for r in rows] == [
        i for i in range(230) if i % 7 and i % 5]
    assert rejects == [dict(filename=str(i), cause='no box' if i % 7 else 'no phrase')
                       for i in range(230) if not (i % 7 and i % 5)]
    assert json.loads(unbroken['summary.json']) == {
        'shards': 6, 'samples': 230, 'labelled': len(rows), 'no box': 39, 'no phrase': 33}


def test_killed_at_any_moment(data, unbroken, tmp_path):
    rng, kills = random.Random(0), 0
    out, begun = tmp_path / 'out', tmp_path / 'out.begun'
    for _ in range(40):
        begun.unlink(missing_ok=True)
        process = start(data, out)
        while process.poll() is None and not begun.exists():
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.12))  # a shard takes a twentieth of a second
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        if process.wait() == 0:
            break
        if kills == 4:
            assert start(data, out).wait() == 0
            break
    assert kills >= 2
    assert contents(out) == unbroken  # nor is anything left of what was half written


def test_what_killed_processes_began_in_the_folder_is_deleted(data, unbroken, tmp_path):
    out = tmp_path / 'out'
    out.mkdir()
    for name in ('rejects.jsonl', 'summary.json', 'source.json'):
        (out / f'.{name}.99999977.tmp').touch()  # more than any system has
    assert start(data, out).wait() == 0
    assert contents(out) == unbroken


def test_two_processes_share_the_work(data, unbroken, tmp_path):
    processes = [start(data, tmp_path, rank, 2) for rank in (0, 1)]
    assert [p.wait() for p in processes] == [0, 0]
    assert contents(tmp_path) == unbroken


def test_the_first_takes_over_what_a_killed_one_leaves(data, unbroken, tmp_path):
    other = start(data, tmp_path, 1, 2)
    while not list(tmp_path.glob('labels/*')):
        time.sleep(0.01)
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert start(data, tmp_path, 0, 2).wait() == 0
    assert contents(tmp_path) == unbroken


def test_a_full_disk_loses_nothing(data, unbroken, tmp_path, monkeypatch):
    from glip_mm.pseudo_labels import labeller
    real, written = labeller.write_atomically, []

    def write(path, content, **options):
        if len(written) == 5:
            raise OSError(errno.ENOSPC, 'No space left on device')
        written.append(path)
        return real(path, content, **options)

    monkeypatch.setattr(labeller, 'write_atomically', write)
    shards = find_shards(data, tmp_path, shard_size=40)
    with pytest.raises(OSError, match='No space left'):
        label(shards, Stub(), tmp_path, batch_size=4)
    assert len(list(tmp_path.glob('labels/*'))) == 2 and not (tmp_path / 'summary.json').exists()
    monkeypatch.setattr(labeller, 'write_atomically', real)
    counts = label(shards, Stub(), tmp_path, batch_size=4)
    assert sum(counts.values()) == 230 - 80  # two shards were done
    assert contents(tmp_path) == unbroken


class TarStub(Stub):
    """Labels every sample that is sound."""

    def prepare(self, sample):
        from glip_mm.pseudo_labels.sample import Reject
        from glip_mm.pseudo_labels.teacher import Ready
        if sample.fault or not sample.caption:
            return Reject(sample, sample.fault or 'no caption', sample.detail)
        return Ready(sample, [], (8, 8), dict(inputs=torch.zeros(3, 8, 8)))

    def label(self, batch):
        return [dict(filename=r.sample.name, grounding=dict(caption=r.sample.caption))
                for r in batch]


@pytest.fixture
def broken_shards(tmp_path):
    """Four tar shards of three samples; the second is cut off in its third, the last is empty."""
    (tmp_path / 'shards').mkdir()
    for name in 'abcd':
        write_tar(tmp_path / f'shards/{name}.tar', [entry for i in range(3) for entry in (
            (f'{i}.jpg', b'image'), (f'{i}.txt', f'a dog {i}'.encode()))])
    shutil.copytree(tmp_path / 'shards', tmp_path / 'whole')
    os.truncate(tmp_path / 'shards/b.tar', 512 * 10)
    os.truncate(tmp_path / 'shards/d.tar', 0)
    return tmp_path / 'shards'


def summary(out):
    return json.loads((out / 'summary.json').read_text())


def test_broken_shards_end_nothing(broken_shards, tmp_path, logged):
    out = tmp_path / 'out'
    counts = label(find_shards(broken_shards, out), TarStub(), out)
    assert counts == {'labelled': 8, 'broken shard': 2}
    assert summary(out) == {'shards': 4, 'samples': 8, 'broken shard': 2, 'labelled': 8}
    rejects = [json.loads(line) for line in (out / 'rejects.jsonl').read_text().splitlines()]
    assert [(r['filename'], r['cause']) for r in rejects] == [
        ('b.tar', 'broken shard'), ('d.tar', 'broken shard')]
    assert rejects[0]['detail'].endswith('after 2 samples')
    message, = logged
    assert '2 of 4 shards are broken' in message and "'b': cut off" in message
    assert "'d': the file is empty, after 0 samples. Fetch them again and repeat" in message
    before = contents(out)
    assert not label(find_shards(broken_shards, out), TarStub(), out) and len(logged) == 2
    assert contents(out) == before
    # fetched again, they are labelled anew and all others stay
    shutil.copy(tmp_path / 'whole/b.tar', broken_shards)
    shutil.copy(tmp_path / 'whole/d.tar', broken_shards)
    assert label(find_shards(broken_shards, out), TarStub(), out) == {'labelled': 6}
    assert summary(out) == {'shards': 4, 'samples': 12, 'labelled': 12} and len(logged) == 2
    with tarfile.open(out / 'labels/b.tar') as tar:
        assert tar.getnames() == [f'{i}.{s}' for i in range(3) for s in ('jpg', 'json')]


def test_unreadable_shards_are_named_after_all_others(broken_shards, tmp_path):
    out = tmp_path / 'out'
    (broken_shards / 'a.tar').unlink()
    (broken_shards / 'a.tar').symlink_to(tmp_path / 'later')
    with pytest.raises(LostShards, match=r'1 of 4 shards are not labelled \(a: .*No such file.*'
                                         'the same command tries these again'):
        label(find_shards(broken_shards, out), TarStub(), out)
    assert summary(out)['labelled'] == 5 and summary(out)['shards'] == 3
    shutil.copy(tmp_path / 'whole/a.tar', tmp_path / 'later')
    assert label(find_shards(broken_shards, out), TarStub(), out) == {'labelled': 3}


def test_data_of_which_nothing_can_be_labelled(tmp_path):
    write_tar(tmp_path / 'a.tar', [(f'{i}.jpg', b'image') for i in range(3)])
    for _ in range(2):  # it is not done the second time
        with pytest.raises(ValueError, match=r'none of 3 samples could be labelled: 3 no caption; '
                                             ".*/out/rejects.jsonl' names them. Delete"):
            label(find_shards(tmp_path / 'a.tar', tmp_path / 'out'), TarStub(), tmp_path / 'out')


def test_half_a_character_ends_nothing(data, tmp_path):
    path = data.parent / 'odd.jsonl'
    path.write_text('{"filename": "0", "caption": "a \\ud83d dog"}\n')
    label(find_shards(path, tmp_path), TarStub(), tmp_path)
    row = json.loads((tmp_path / 'labels/00000.jsonl').read_text())
    assert row['grounding']['caption'] == 'a \ud83d dog'


def test_a_claim_is_for_one(tmp_path):
    with exclusive(tmp_path / 'claims/a', wait=False) as mine:
        assert mine
        with (exclusive(tmp_path / 'claims/a', wait=False) as second,
              exclusive(tmp_path / 'claims/b', wait=False) as another):
            assert not second and another
    with exclusive(tmp_path / 'claims/a', wait=False) as again:
        assert again
