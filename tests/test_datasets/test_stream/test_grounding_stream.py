import random
import tracemalloc
from collections import Counter

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from glip_mm.datasets import GroundingStream, StreamBatchSampler, StreamSampler


class Numbers(Dataset):
    """Samples that are their own number and what the generators say."""

    def __init__(self, name, length):
        self.name, self.length = name, length

    def __len__(self):
        return self.length

    def sizes(self, indices):
        indices = np.asarray(indices)
        return np.where(indices % 3 == 0, 10, 30), np.full(len(indices), 20)

    def __getitem__(self, index):
        return self.name, index, random.random(), np.random.rand(), float(torch.rand(()))


class OwnInfo(Dataset):
    def __len__(self):
        return 4

    def get_data_info(self, index):
        return dict(width=10, height=20 if index else 5)


def members(stream, draws):
    member, sample = stream.locate(draws)
    return Counter(zip(member.tolist(), sample.tolist()))


def test_copies_are_exact_in_every_epoch():
    stream = GroundingStream([Numbers('a', 10), Numbers('b', 4)], copies=[1, 3])
    assert len(stream) == 22
    for epoch in range(3):
        found = members(stream, range(epoch * 22, epoch * 22 + 22))
        assert found == Counter({**{(0, i): 1 for i in range(10)}, **{(1, i): 3 for i in range(4)}})


def test_half_a_copy_takes_turns():
    stream = GroundingStream([Numbers('a', 10)], copies=[.5])
    assert len(stream) == 5
    assert set(members(stream, range(10)).values()) == {1}


def test_ratios_are_exact_and_nothing_repeats_before_all_were_there():
    stream = GroundingStream([Numbers('a', 7), Numbers('b', 100)], ratios=[1, 2],
                             samples_per_epoch=10)
    for epoch in range(4):
        member, _ = stream.locate(range(epoch * 10, epoch * 10 + 10))
        assert Counter(member.tolist()) == {0: 3, 1: 7}
    found = members(stream, range(140))
    assert {n for (k, _), n in found.items() if k == 0} == {6}  # 42 draws of 7 samples
    assert {n for (k, _), n in found.items() if k == 1} == {1}  # 98 draws of 100 samples


def test_epochs_and_seeds_have_other_orders():
    stream, other = (GroundingStream([Numbers('a', 50)], seed=s) for s in (0, 1))
    orders = [s.locate(range(start, start + 50))[1].tolist()
              for s, start in ((stream, 0), (stream, 50), (other, 0))]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert orders[0] != orders[1] and orders[0] != orders[2]


def test_a_draw_is_the_same_whenever_and_leaves_the_generators_alone():
    stream = GroundingStream([Numbers('a', 50)])
    first = stream[7]
    before = random.getstate()[1], np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    again, other = stream[7], stream[57]
    after = random.getstate()[1], np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    assert again == first and other[2:] != first[2:]
    assert after == before


@pytest.mark.parametrize('workers', [1, 2])
def test_the_number_of_workers_changes_nothing(workers):
    stream = GroundingStream([Numbers('a', 30), Numbers('b', 10)])

    def batches(workers):
        sampler = StreamBatchSampler(StreamSampler(stream), 4, window=3)
        loader = DataLoader(stream, batch_sampler=sampler, num_workers=workers, collate_fn=list)
        return [*loader, *loader]

    assert batches(workers) == batches(0)


def test_orientation_comes_from_sizes_or_annotations():
    stream = GroundingStream([Numbers('a', 6), OwnInfo()])
    member, sample = stream.locate(range(10))
    wanted = [s % 3 == 0 if k == 0 else s > 0
              for k, s in zip(member, sample)]
    assert stream.portrait(range(10)).tolist() == wanted


def test_27_million_samples_cost_no_memory():
    stream = GroundingStream([Numbers('a', 20_000_000), Numbers('b', 7_000_000)])
    tracemalloc.start()
    sampler = StreamBatchSampler(StreamSampler(stream), 64)
    batches = iter(sampler)
    seen = [next(batches) for _ in range(200)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(np.unique(np.concatenate(seen))) == 200 * 64
    assert peak < 10 * 2**20


@pytest.mark.parametrize('arguments, message', [
    (dict(datasets=[]), 'datasets is empty'),
    (dict(datasets=[Numbers('a', 3)], copies=[1, 2]), r'copies=\[1, 2\]'),
    (dict(datasets=[Numbers('a', 3)], copies=[0]), 'not all of them 0'),
    (dict(datasets=[Numbers('a', 3)], ratios=[1]), 'needs samples_per_epoch'),
    (dict(datasets=[Numbers('a', 0)]), r'datasets\[0\] is empty')])
def test_bad_mixtures_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        GroundingStream(**arguments)


def test_a_stream_among_the_members_keeps_its_own_shares():
    inner = GroundingStream([Numbers('b', 10), Numbers('c', 30)], copies=[2, 1], seed=5)
    stream = GroundingStream([Numbers('a', 4), inner], copies=[1, 2])
    assert stream.counts == [4, 40, 60] and [d.name for d in stream.datasets] == ['a', 'b', 'c']
    assert members(stream, range(104)) == Counter({
        **{(0, i): 1 for i in range(4)}, **{(1, i): 4 for i in range(10)},
        **{(2, i): 2 for i in range(30)}})
    stream = GroundingStream([Numbers('a', 4), inner], ratios=[1, 1], samples_per_epoch=100)
    assert stream.counts == [50, 20, 30]
