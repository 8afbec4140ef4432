import numpy as np
import pytest

from glip_mm.datasets import GroundingStream, StreamBatchSampler, StreamSampler

from .test_grounding_stream import Numbers


def make(rank=0, world=1, batch_size=4, length=50, **options):
    sampler = StreamSampler(GroundingStream([Numbers('a', length)]))
    sampler.rank, sampler.world_size = rank, world
    return StreamBatchSampler(sampler, batch_size, **options)


def epochs(batches, count):
    return [batch for _ in range(count) for batch in batches]


def test_no_draw_is_lost_or_repeated():
    batches = make(window=4)
    assert len(batches) == 12
    seen = np.concatenate(epochs(batches, 8))
    assert sorted(seen) == list(range(8 * 48))


def test_processes_together_read_what_one_would():
    alone = epochs(make(batch_size=8, window=5), 3)
    ranks = [epochs(make(rank, 2, window=5), 3) for rank in range(2)]
    assert len(ranks[0]) == len(ranks[1]) == len(alone)
    assert [a + b for a, b in zip(*ranks)] == alone


def test_images_of_one_orientation_stand_together():
    batches = make(batch_size=4, length=300, window=25)
    portrait = batches.sampler.dataset.portrait
    mixed = [portrait(batch).std() > 0 for batch in batches]
    assert len(mixed) == 75 and sum(mixed) <= 3  # one of each window
    assert any(portrait(batch).all() for batch in batches)


def test_any_batch_is_reached_at_once():
    whole = epochs(make(window=7), 3)
    for start in (1, 11, 12, 13, 30):
        batches = make(window=7)
        batches.start_at(start)
        rest = [*batches, *batches]
        assert len(rest) > 12
        assert rest[:36 - start] == whole[start:start + len(rest)]


def test_an_epoch_ends_where_it_would_have():
    batches = make()
    batches.start_at(12 + 5)
    assert len(list(batches)) == 7
    assert len(list(batches)) == 12


def test_what_does_not_fit_is_named():
    with pytest.raises(TypeError, match='GroundingStream, got Numbers'):
        StreamSampler(Numbers('a', 3))
    with pytest.raises(TypeError, match='needs a StreamSampler'):
        StreamBatchSampler(range(3), 2)
    with pytest.raises(ValueError, match='holds no batch of 60'):
        make(batch_size=60)
    with pytest.raises(ValueError, match='drop_last'):
        make(drop_last=False)
