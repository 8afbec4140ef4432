"""Reproducible randomness inside the network, also in resumed trainings."""

import random

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook

from glip_mm.datasets.stream import mix
from glip_mm.registry import HOOKS


@HOOKS.register_module()
class StepSeedHook(Hook):
    """Seeds the random generators at every training step from (seed, iteration, process).

    Dropout, stochastic depth and word masking are then the same in a resumed training as in an
    uninterrupted one, and no generator's state needs to be saved.

    Args:
        seed: Random seed; default: the runner's (``randomness.seed``).
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def before_train_iter(self, runner, batch_idx: int, data_batch=None) -> None:
        """Seed Python's, NumPy's and torch's generators of this process."""
        seed = runner.seed if self.seed is None else self.seed
        value = mix(seed or 0, runner.iter, get_rank())
        random.seed(value)
        np.random.seed(value % 2**32)
        torch.manual_seed(value % 2**63)
