"""Randomness inside the network that a resumed training repeats."""

import random

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook

from glip_mm.datasets.stream import mix
from glip_mm.registry import HOOKS


@HOOKS.register_module()
class StepSeedHook(Hook):
    """Seeds every training step from (seed, iteration, process).

    Dropout, stochastic depth and word masking then do in a resumed training what they would have
    done in an unbroken one, and no generator's state needs to be saved.

    Args:
        seed: Default: the runner's (``randomness.seed``).
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
