"""Waiting of the processes of a job for the one that scores."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch.distributed as dist
from mmengine.dist import broadcast_object_list
from mmengine.evaluator import metric

from glip_mm.datasets.data_error import DataError

#: Longer than any scoring.
PATIENCE = timedelta(days=7)


#: Default group -> the group that waits, so that it is made once.
_groups: dict[Any, Any] = {}


def patient_group() -> Any:
    """Return a process group that waits for days; None for a job of one process.

    While the first process scores, the others wait for its metrics in a collective, which NCCL
    gives up after 10 minutes and gloo after 30: LVIS takes longer. A process that dies still ends
    the waiting, since its connections close. All processes must call this before they part.
    """
    if not dist.is_available() or not dist.is_initialized():
        return None
    if dist.group.WORLD not in _groups:
        _groups[dist.group.WORLD] = dist.new_group(backend='gloo', timeout=PATIENCE)
    return _groups[dist.group.WORLD]


@contextmanager
def others_alive() -> Iterator[None]:
    """Say what happened if another process of the job ends while this one waits for it.

    Raises:
        DataError: If one does.
    """
    try:
        yield
    except RuntimeError as error:  # of the connection
        raise DataError('another process of this job ended before its time; its own message says '
                        'why. The same command predicts what is missing') from error


def wait_for_metrics() -> None:
    """Make MMEngine's metrics wait as :func:`patient_group` does."""
    group = patient_group()
    if group is not None:
        metric.broadcast_object_list = functools.partial(broadcast_object_list, group=group)
