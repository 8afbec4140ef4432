"""What a job holds of the machine while it runs, and whether that is flat."""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dev.speed.memory import status

MIB = 2**20
#: Most that a resource may grow by after the warm-up, by its name.
BOUNDS = {'memory [MiB]': 8., 'memory of workers [MiB]': 8., 'shared memory [MiB]': 1.,
          'descriptors': 1., 'threads': 1., 'cached prompts': 1.}
#: Prompts and tokens of texts that models remember here, so that caches are full soon.
CACHED_PROMPTS, CACHED_TOKENS = 64, 1024
#: What a resource may have in any case; a text has three tokens at least.
LIMITS = {'cached prompts': CACHED_PROMPTS + CACHED_TOKENS // 3}
#: Share of the steps in which caches and pools of memory fill.
WARM_UP = 1 / 3


@dataclass
class Course:
    """Resources over the steps of a job.

    Attributes:
        name: Name of the job.
        steps: ``[n]`` steps at which they were measured.
        values: Resource -> ``[n]`` values.
    """

    name: str
    steps: list[int] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in BOUNDS})

    def measure(self, step: int, cached: int = 0) -> None:
        """Measure this process and its children.

        Args:
            step: Number of the present step.
            cached: Number of cached prompts.
        """
        me, processes = os.getpid(), family(os.getpid())
        workers = [p for p in processes if p != me]
        now = [status('VmRSS') / MIB, sum(status('VmRSS', p) for p in workers) / MIB,
               sum(shared_memory(p) for p in processes) / MIB,
               *(sum(count(p, kind) for p in processes) for kind in ('fd', 'task')), cached]
        self.steps.append(step)
        for values, value in zip(self.values.values(), now):
            values.append(value)


class Growth(NamedTuple):
    """How a resource changed after the warm-up.

    Attributes:
        resource: Its name.
        begin: Median of the tenth after the warm-up.
        end: Median of the last tenth.
        peak: Most of all.
        growth: Growth from the warm-up to the end by the median slope between two measurements.
        bound: Most that it may be, where the peak is above the resource's limit.
    """

    resource: str
    begin: float
    end: float
    peak: float
    growth: float
    bound: float

    @property
    def flat(self) -> bool:
        """Return whether the resource did not grow."""
        return self.growth <= self.bound or self.peak <= LIMITS.get(self.resource, 0)


def family(process: int) -> list[int]:
    """Return a process and its descendants."""
    parents: dict[int, list[int]] = {}
    for path in Path('/proc').glob('[0-9]*/stat'):
        with contextlib.suppress(OSError):
            parent = int(path.read_text().rpartition(')')[2].split()[1])
            parents.setdefault(parent, []).append(int(path.parent.name))
    found = [process]
    for one in found:
        found += parents.get(one, [])
    return found


def count(process: int, kind: str) -> int:
    """Count the open descriptors (``'fd'``) or threads (``'task'``) of a process."""
    with contextlib.suppress(OSError):
        return len(os.listdir(f'/proc/{process}/{kind}'))
    return 0


def shared_memory(process: int) -> int:
    """Return the shared memory of a process in bytes: mapped, and PyTorch's files of it."""
    size = status('RssShmem', process)
    for path in Path('/dev/shm').glob(f'torch_{process}_*'):
        with contextlib.suppress(OSError):
            size += path.stat().st_size
    return size


def growths(course: Course) -> list[Growth]:
    """Fit what resources grew by after the warm-up.

    The slope is the median of the slopes between all pairs of measurements: peaks, as in an
    evaluation, do not move it.
    """
    steps = np.asarray(course.steps, float)
    later = steps >= steps[0] + WARM_UP * (steps[-1] - steps[0])
    x, tenth = steps[later], max(1, int(later.sum()) // 10)
    i, j = np.triu_indices(len(x), 1)
    found = []
    for name, values in course.values.items():
        y = np.asarray(values, float)[later]
        slope = np.median((y[j] - y[i]) / (x[j] - x[i])) if len(i) else 0.
        found.append(Growth(name, float(np.median(y[:tenth])), float(np.median(y[-tenth:])),
                            max(values), float(slope * (x[-1] - x[0])), BOUNDS[name]))
    return found


def draw(courses: Sequence[Course], path: Path) -> Path:
    """Draw the resources of jobs over their steps; a line marks the end of the warm-up."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from glip_mm.visualization.curves import Curve, plot_curves, save_figure
    figure = Figure(figsize=(3 * len(BOUNDS), 2.6 * len(courses)), layout='constrained')
    FigureCanvasAgg(figure)
    rows = figure.subplots(len(courses), len(BOUNDS), squeeze=False)
    for course, row in zip(courses, rows):
        x = np.asarray(course.steps, float)
        for axes, (name, values) in zip(row, course.values.items()):
            plot_curves(axes, [Curve(name, x, np.asarray(values, float), exact=True)])
            axes.get_legend().remove()
            axes.axvline(x[0] + WARM_UP * (x[-1] - x[0]), color='grey', linestyle=':')
            axes.set_ylim(0, 1.15 * max(*values, 1))
            axes.set_title(name, fontsize='small')
            axes.set_xlabel(course.name, fontsize='small')
    return save_figure(figure, path)
