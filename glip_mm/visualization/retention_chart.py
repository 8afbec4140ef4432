"""Draw AP that tuning gains on one task and costs on others."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from .curves import Curve, plot_curves, save_figure
from .palette import PALETTE


def draw_alpha_curves(alphas: Sequence[float], values: Mapping[str, Sequence[float]],
                      path: str | Path) -> Path:
    """Draw AP over alpha, a line for each task, and the tasks against each other.

    Args:
        alphas: ``n`` positions between base (0) and tuned model (1).
        values: Task -> ``n`` values of 0..1, the tuned task first.
        path: File of the picture.

    Raises:
        ValueError: If the suffix is no format of Matplotlib.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    tasks = list(values)
    pairs = len(tasks) == 2
    figure = Figure(figsize=(9 if pairs else 5, 3.6), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2 if pairs else 1, squeeze=False)[0]
    plot_curves(axes[0], [Curve(t, np.asarray(alphas, float), 100 * np.asarray(v, float),
                                dots=True, exact=True) for t, v in values.items()])
    axes[0].set_xlabel('alpha (0: base, 1: tuned)')
    axes[0].set_ylabel('%')
    if pairs:
        x, y = (100 * np.asarray(values[t], float) for t in tasks)
        axes[1].plot(x, y, '-o', color='#3b6fb6', markersize=4)
        for alpha, a, b in zip(alphas, x, y):
            axes[1].annotate(f'{alpha:g}', (a, b), fontsize=7, xytext=(3, 3),
                             textcoords='offset points')
        axes[1].set_xlabel(f'{tasks[0]} [%]')
        axes[1].set_ylabel(f'{tasks[1]} [%]')
        axes[1].grid(alpha=.3)
        axes[1].spines[['top', 'right']].set_visible(False)
    return save_figure(figure, path)


def draw_retention(models: Sequence[str], values: Mapping[str, Sequence[float]],
                   path: str | Path) -> Path:
    """Draw the tasks as bars side by side for each model.

    Args:
        models: ``n`` names, the base first.
        values: Task -> ``n`` values of 0..1.
        path: File of the picture.

    Raises:
        ValueError: If the suffix is no format of Matplotlib.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    figure = Figure(figsize=(2.2 + 1.3 * len(models), 3.6), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    width = .8 / len(values)
    for index, (task, row) in enumerate(values.items()):
        color = tuple(c / 255 for c in PALETTE[index % len(PALETTE)])
        places = np.arange(len(models)) + width * (index - (len(values) - 1) / 2)
        heights = 100 * np.nan_to_num(np.asarray(row, float))
        axes.bar(places, heights, width * .92, color=color, alpha=.75, label=task)
        for x, y in zip(places, heights):
            axes.text(x, y, f'{y:.1f}', ha='center', va='bottom', fontsize=8)
    axes.set_xticks(range(len(models)), models)
    axes.set_ylabel('%')
    axes.margins(y=.15)
    axes.legend(frameon=False, fontsize='small')
    axes.spines[['top', 'right']].set_visible(False)
    return save_figure(figure, path)
