"""Several data sets as one endless, reproducible stream."""

import contextlib
import random
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.dataset import BaseDataset
from torch.utils.data import Dataset

from glip_mm.registry import DATASETS

from .permutation import mix, permute

_ORDER, _MEMBER, _SAMPLE = range(3)  # purposes of derived seeds


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed Python's, NumPy's and torch's generators, and restore their states afterwards."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.random.default_generator.manual_seed(seed % 2**63)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


def shares(total: int, ratios: Sequence[float]) -> list[int]:
    """Split a total by ratios into whole numbers that add up to it (largest remainders)."""
    exact = np.asarray(ratios, float) / sum(ratios) * total
    counts = np.floor(exact).astype(int)
    for i in np.argsort(counts - exact, kind='stable')[:total - counts.sum()]:
        counts[i] += 1
    return counts.tolist()


def _build(config: dict, position: int) -> BaseDataset:
    try:
        return DATASETS.build(config)
    except ValueError as error:
        if 'need at least one array to concatenate' not in str(error):
            raise
        # MMEngine's message for a data set that filters left empty
        classes = config.get('metainfo', {}).get('classes')
        raise ValueError(
            f"GroundingStream.datasets[{position}]: no sample of '{config.get('ann_file')}' is "
            f'left after filter_cfg={config.get("filter_cfg")}: none has a box of metainfo.classes '
            f'({classes}); give the names of the categories in the file') from error


@DATASETS.register_module()
class GroundingStream(Dataset):
    """Mix of detection, grounding and image-text data sets.

    The index is a *draw*: a position in the whole training, of any size. Draw ``d`` is always the
    same sample with the same augmentation, whichever process or worker makes it and whether or
    not the training was interrupted: it depends on ``d`` and the seed alone, and its
    randomness (Python's, NumPy's and torch's global generators) is seeded from them. ``len`` is
    one epoch; the draws of an epoch visit every member as often as requested, and a member's
    samples come without repetition until all have been drawn.

    A stream among the members is taken apart: its members divide its part of an epoch as they
    divide an epoch of it, whether by copies or by ratios. Their seed is this stream's.

    Args:
        datasets: Members of the mix, or their configs.
        copies: Number of times that an epoch visits each member's samples (GLIP's ``*_COPY``;
            fractions allowed). Default: 1.
        ratios: Share of each member in ``samples_per_epoch``, instead of ``copies``.
        samples_per_epoch: Length of an epoch with ``ratios``.
        seed: Random seed of order and augmentation. Default: the run's (``randomness.seed``).
    """

    def __init__(self, datasets: Sequence[dict | BaseDataset],
                 copies: Sequence[float] | None = None,
                 ratios: Sequence[float] | None = None,
                 samples_per_epoch: int | None = None, seed: int | None = None) -> None:
        if not datasets:
            raise ValueError('GroundingStream.datasets is empty: give at least one')
        for key, value in (('copies', copies), ('ratios', ratios)):
            if value is not None and (len(value) != len(datasets) or min(value) < 0
                                      or sum(value) <= 0):
                raise ValueError(f'GroundingStream.{key}={list(value)} must hold a number from 0 '
                                 f'for each of the {len(datasets)} datasets, not all of them 0')
        if ratios is not None and (copies is not None or not samples_per_epoch):
            raise ValueError('GroundingStream.ratios needs samples_per_epoch and no copies')
        built = [_build(d, i) if isinstance(d, (dict, ConfigDict)) else d
                 for i, d in enumerate(datasets)]
        self._own_seed, self.seed = seed is not None, seed or 0
        wanted = list(ratios or copies or [1] * len(built))
        for i, (share, member) in enumerate(zip(wanted, built)):
            if share and not len(member):
                raise ValueError(f'GroundingStream.datasets[{i}] is empty: check its ann_file and '
                                 'filter_cfg, or give it 0 copies')
        if ratios is None:
            wanted = [len(member) * c for member, c in zip(built, wanted)]
        self.datasets: list[BaseDataset] = []
        self._exact: list[float] = []  # part of each in an epoch, before rounding
        for share, member in zip(wanted, built):
            if isinstance(member, GroundingStream):
                self.datasets += member.datasets
                self._exact += [share * part / sum(member._exact) for part in member._exact]
            else:
                self.datasets.append(member)
                self._exact.append(share)
        self._lengths = [len(d) for d in self.datasets]
        self.counts = ([round(n) for n in self._exact] if ratios is None
                       else shares(int(samples_per_epoch or 0), self._exact))
        self._ends = np.cumsum(self.counts)

    def full_init(self) -> None:
        """Do nothing: members are ready once they are built."""

    def follow(self, seed: int) -> None:
        """Take the run's seed unless the stream has its own."""
        if not self._own_seed:
            self.seed = seed

    @property
    def metainfo(self) -> dict:
        """Return the meta information of the first member with classes, else of the first."""
        infos = [getattr(d, 'metainfo', {}) for d in self.datasets]
        return next((info for info in infos if 'classes' in info), infos[0])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def locate(self, draws: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the member and the sample of each draw.

        Args:
            draws: ``n`` draws.

        Returns:
            Two ``[n]`` int64 arrays.
        """
        epoch, position = np.divmod(np.asarray(draws, np.int64), len(self))
        for e in np.unique(epoch):
            chosen = epoch == e
            position[chosen] = permute(position[chosen], len(self),
                                       mix(self.seed, _ORDER, int(e)))
        member = np.searchsorted(self._ends, position, side='right')
        counts, lengths = np.asarray(self.counts), np.asarray(self._lengths)
        ordinal = epoch * counts[member] + position - (self._ends - counts)[member]
        visit, sample = np.divmod(ordinal, lengths[member])
        for k, v in {*zip(member.tolist(), visit.tolist())}:
            chosen = (member == k) & (visit == v)
            sample[chosen] = permute(sample[chosen], self._lengths[k],
                                     mix(self.seed, _MEMBER, k, v))
        return member, sample

    def portrait(self, draws: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return whether each draw's image is portrait or square, ``[n]`` bool; reads no data."""
        member, sample = self.locate(draws)
        result = np.zeros(len(member), bool)
        for k in np.unique(member):
            chosen = member == k
            result[chosen] = self._portrait(self.datasets[k], sample[chosen])
        return result

    @staticmethod
    def _portrait(dataset: BaseDataset, samples: np.ndarray) -> np.ndarray:
        if hasattr(dataset, 'sizes'):
            width, height = dataset.sizes(samples)
            return height >= width
        infos = [dataset.get_data_info(int(i)) for i in samples]
        return np.array([info['height'] >= info['width'] for info in infos], bool)

    def get_data_info(self, draw: int) -> dict:
        """Read the annotations of a draw, before its pipeline."""
        member, sample = self.locate([draw])
        return self.datasets[member[0]].get_data_info(int(sample[0]))

    def __getitem__(self, draw: int) -> dict:
        member, sample = self.locate([draw])
        dataset: BaseDataset = self.datasets[member[0]]
        with seeded(mix(self.seed, _SAMPLE, draw)):
            return dataset[int(sample[0])]
