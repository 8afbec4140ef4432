"""Tests of what two processes do together."""

import gc
import os
import tempfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from . import forked


def in_two_processes(work: Callable, *args: Any) -> None:
    """Call ``work(rank, *args)`` in two processes that form a group."""
    forked.context()  # of torch.multiprocessing too
    with tempfile.TemporaryDirectory() as folder:
        mp.start_processes(_work, (folder, work, args), nprocs=2, start_method='forkserver')


def _work(rank: int, folder: str, work: Callable, args: tuple) -> None:
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), WORLD_SIZE='2', LOCAL_RANK=str(rank))
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2,
                            timeout=timedelta(minutes=5))
    work(rank, *args)
    gc.collect()  # wrapped models hold the group, whose threads abort a process that ends first
    dist.destroy_process_group()
