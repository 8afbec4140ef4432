"""Peak memory of one model, in a process that does nothing else."""

import ctypes
import gc
import sys
from pathlib import Path
from typing import Any

import torch

from glip_mm.peak_memory import peak_rss

from .running import Runner

MIB = 2**20
_CLEAR = Path('/proc/self/clear_refs')


def status(field: str, process: int | str = 'self') -> int:
    """Read a size from the kernel's status of a process, in bytes; 0 if it is missing."""
    path = Path(f'/proc/{process}/status')
    if path.exists():
        for line in path.read_text(encoding='utf-8').splitlines():
            if line.startswith(f'{field}:'):
                return int(line.split()[1]) * 1024
    return 0


def resident() -> int:
    """Return the resident set size in bytes."""
    return status('VmRSS')


def peak_resident() -> int:
    """Return the peak resident set size since the start or :func:`reset_peak`, in bytes."""
    return status('VmHWM') or peak_rss() or 0


def reset_peak() -> bool:
    """Reset the peak to the current size; return False if the kernel refuses."""
    gc.collect()
    if sys.platform.startswith('linux'):
        with_trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
        if with_trim is not None:  # freed memory that is not returned would hide the peak
            with_trim(0)
    try:
        _CLEAR.write_text('5', encoding='utf-8')
    except OSError:
        return False
    return True


def peak_of(runner: Runner) -> dict[str, Any]:
    """Measure the memory of a run after a warm-up run.

    Args:
        runner: Runner of one model.

    Returns:
        MiB: ``before`` (weights and, in training, the optimizer's state), ``peak``, and ``run``,
        the peak minus ``before``; ``exact`` is False if the peak includes the
        warm-up because the kernel could not reset it.
    """
    runner.prepare()
    runner()
    runner.model.zero_grad(set_to_none=True)
    runner.prepare()
    if runner.device.startswith('cuda'):
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before, exact = torch.cuda.memory_allocated(), True
        runner()
        peak = torch.cuda.max_memory_allocated()
    else:
        exact = reset_peak()
        before = resident()
        runner()
        peak = peak_resident()
    return dict(before=before / MIB, peak=peak / MIB, run=(peak - before) / MIB, exact=exact)
