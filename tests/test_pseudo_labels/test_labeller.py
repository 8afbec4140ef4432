"""Exactly once, whatever happens in between. The teacher is a stub: who labels is not at issue."""

import errno
import json
import random
import signal
import time
from pathlib import Path

import pytest

from glip_mm.file_lock import exclusive
from glip_mm.pseudo_labels import find_shards, label
from tests import forked

ROOT = Path(__file__).parents[2]
STUB = '''
import sys, time
import torch
from glip_mm.pseudo_labels import find_shards, label
from glip_mm.pseudo_labels.teacher import Ready, Reject


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
label(find_shards(data, shard_size=40), Stub(0.004), out, batch_size=4, rank=int(rank),
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
    return path


@pytest.fixture(scope='module')
def unbroken(data, tmp_path_factory):
    out = tmp_path_factory.mktemp('unbroken')
    counts = label(find_shards(data, shard_size=40), Stub(), out, batch_size=4)
    assert sum(counts.values()) == 230
    return contents(out)


def contents(folder: Path) -> dict:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob('*'))
            if p.is_file() and 'claims' not in p.parts}


def start(data, out, rank=0, world=1):
    return forked.Program('-c', SCRIPT, data, out, rank, world, cwd=ROOT)


def test_results(unbroken):
    assert sorted(unbroken) == [*(f'labels/0000{i}.jsonl' for i in range(6)), 'rejects.jsonl',
                              *(f'rejects/0000{i}.jsonl' for i in range(6)), 'summary.json']
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
    shards = find_shards(data, shard_size=40)
    with pytest.raises(OSError, match='No space left'):
        label(shards, Stub(), tmp_path, batch_size=4)
    assert len(list(tmp_path.glob('labels/*'))) == 2 and not (tmp_path / 'summary.json').exists()
    monkeypatch.setattr(labeller, 'write_atomically', real)
    counts = label(shards, Stub(), tmp_path, batch_size=4)
    assert sum(counts.values()) == 230 - 80  # two shards were done
    assert contents(tmp_path) == unbroken


def test_a_claim_is_for_one(tmp_path):
    with exclusive(tmp_path / 'claims/a', wait=False) as mine:
        assert mine
        with (exclusive(tmp_path / 'claims/a', wait=False) as second,
              exclusive(tmp_path / 'claims/b', wait=False) as another):
            assert not second and another
    with exclusive(tmp_path / 'claims/a', wait=False) as again:
        assert again
