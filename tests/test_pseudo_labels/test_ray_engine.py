"""Ray's actors write what a single process writes, also when one is killed within a shard."""

import importlib.util
import os
import signal
import sys
import threading
import time
from contextlib import nullcontext
from functools import partial

import pytest

from glip_mm.file_lock import exclusive
from glip_mm.pseudo_labels import LostShards, find_shards, label, ray_engine
from glip_mm.pseudo_labels.ray_engine import Actors, label_with_ray

from .test_labeller import Stub, TarStub, broken_shards, contents, data, unbroken  # noqa: F401

needs_ray = pytest.mark.skipif(importlib.util.find_spec('ray') is None, reason='needs Ray')


@pytest.fixture(scope='module')
def cluster():
    """Two workers; its address."""
    os.environ['RAY_USAGE_STATS_ENABLED'] = '0'
    import ray
    ray.init(address='local', num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray.get_runtime_context().gcs_address
    ray.shutdown()


class Watched(Stub):
    """Leaves its process id in a folder; mishaps are files there that name a sample."""

    def __init__(self, folder):
        super().__init__(0.01)
        self.folder = folder
        (folder / f'{os.getpid()}.pid').touch()

    def label(self, batch):
        names = {r.sample.name for r in batch}
        if names & {p.stem for p in self.folder.glob('*.fail')}:
            raise RuntimeError('a failure of the network')
        for path in self.folder.glob('*.hang'):
            if path.stem in names:
                path.rename(path.with_name(f'{os.getpid()}.hangs'))
                time.sleep(300)
        return super().label(batch)


def start_killer(folder, kills):
    """Kill who hangs in the middle of a shard."""
    def run():
        until = time.time() + 300
        while len(kills) < 1 and time.time() < until:
            for path in folder.glob('*.hangs'):
                kills.append(int(path.stem))
                os.kill(int(path.stem), signal.SIGKILL)
            time.sleep(0.02)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


@needs_ray
def test_an_actor_killed_within_a_shard(cluster, data, unbroken, tmp_path):  # noqa: F811
    watch, out = tmp_path / 'watch', tmp_path / 'out'
    watch.mkdir()
    (watch / '101.hang').touch()  # in the middle of the third shard
    kills = []
    killer = start_killer(watch, kills)
    shards = find_shards(data, out, shard_size=40)
    counts = label_with_ray(shards, partial(Watched, watch), out, batch_size=4,
                            actors=Actors(2, 2), poll=0.05)
    killer.join()
    assert len(kills) == 1
    assert len(list(watch.glob('*.pid'))) == 3  # two actors, and the one that was started again
    assert contents(out) == unbroken
    assert sum(counts.values()) == 230
    assert not label_with_ray(shards, partial(Watched, watch), out)  # nothing was left to do


@needs_ray
def test_actors_come_as_there_is_work(cluster, data, unbroken, tmp_path):  # noqa: F811
    (tmp_path / 'watch').mkdir()
    label_with_ray(find_shards(data, tmp_path / 'out', shard_size=40),
                   partial(Watched, tmp_path / 'watch'), tmp_path / 'out', batch_size=4,
                   actors=Actors(1, None), poll=0.05)
    assert contents(tmp_path / 'out') == unbroken


@needs_ray
def test_a_shard_that_fails_stops_no_other(cluster, data, unbroken, tmp_path):  # noqa: F811
    watch, out = tmp_path / 'watch', tmp_path / 'out'
    watch.mkdir()
    (watch / '101.fail').touch()
    shards = find_shards(data, out, shard_size=40)
    work = partial(label_with_ray, shards, partial(Watched, watch), out, batch_size=4, poll=0.05)
    with pytest.raises(LostShards, match=r'1 of 6 shards are not .*\(00002: its actors'):
        work()
    assert len(list(out.glob('labels/*'))) == 5
    (watch / '101.fail').unlink()
    work()
    assert contents(out) == unbroken


@needs_ray
def test_a_shard_of_another_process_is_waited_for(cluster, data, unbroken, tmp_path):  # noqa: F811
    shards = find_shards(data, tmp_path, shard_size=40)
    with exclusive(shards[1].files(tmp_path).claim, wait=False):
        done = threading.Event()

        def work():
            label_with_ray(shards, Stub, tmp_path, batch_size=4, poll=0.05)
            done.set()
        thread = threading.Thread(target=work)
        thread.start()
        until = time.time() + 300
        while len(list(tmp_path.glob('labels/0*'))) < 5 and time.time() < until:
            time.sleep(0.05)
        assert not done.is_set() and not (tmp_path / 'labels/00001.jsonl').exists()
    thread.join(300)
    assert contents(tmp_path) == unbroken


@needs_ray
def test_a_full_disk_stops_the_run(cluster, data, tmp_path):  # noqa: F811
    (tmp_path / 'labels').write_text('no folder can be made here')
    with pytest.raises(OSError, match='labels'):
        label_with_ray(find_shards(data, tmp_path, shard_size=40), Stub, tmp_path, batch_size=4)


def test_shards_that_are_broken_or_unreadable(broken_shards, tmp_path, monkeypatch):  # noqa: F811
    def in_this_process(count, actors, gpu, options):
        return map(ray_engine._Labeller(**options), [dict(index=i) for i in range(count)])
    monkeypatch.setattr(ray_engine, '_rows', in_this_process)
    monkeypatch.setattr(ray_engine, '_cluster', lambda *_: nullcontext())
    (broken_shards / 'a.tar').rename(tmp_path / 'a.tar')
    (broken_shards / 'a.tar').symlink_to(tmp_path / 'none')
    out = tmp_path / 'out'
    with pytest.raises(LostShards, match=r'1 of 4 shards are not labelled \(a: .*No such file'):
        label_with_ray(find_shards(broken_shards, out), TarStub, out)
    (broken_shards / 'a.tar').unlink()
    (tmp_path / 'a.tar').rename(broken_shards / 'a.tar')
    assert label_with_ray(find_shards(broken_shards, out), TarStub, out) == {'labelled': 3}
    one = tmp_path / 'one'
    label(find_shards(broken_shards, one), TarStub(), one)
    results = contents(out)
    assert results == {**contents(one), 'source.json': results['source.json']}


def test_number_of_actors():
    assert Actors.parse('3') == Actors(3, 3)
    assert Actors.parse('1:') == Actors() == Actors(1, None)
    for text in ('0', '', '4:2', 'a', '1:2:3', ':2'):
        with pytest.raises(ValueError, match='--actors must be MIN'):
            Actors.parse(text)


def test_without_ray(data, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setitem(sys.modules, 'ray', None)
    with pytest.raises(ImportError, match=r'pip install glip_mm\[ray\]'):
        label_with_ray(find_shards(data, tmp_path), Stub, tmp_path)
