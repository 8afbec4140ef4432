"""Plots of scores."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from glip_mm.visualization.page_style import INK
from glip_mm.visualization.report.figures import drawing, result_color

from .statistics import BINS, LabelStatistics

#: Number of statistics bins per bar.
BAR = 5


def score_histogram(statistics: LabelStatistics) -> Figure:
    """Plot the number of boxes by score."""
    counts = statistics.box_scores.reshape(-1, BAR).sum(axis=1)
    edges = np.arange(0, BINS, BAR) / BINS
    with drawing() as figure:
        axes = figure.subplots()
        axes.bar(edges, counts, 0.9 * BAR / BINS, align='edge', color=result_color(0))
        axes.set(xlim=(0, 1), xlabel='score', ylabel='boxes')
        _finish(axes)
    return figure


def kept_curves(statistics: LabelStatistics) -> Figure:
    """Plot the share of boxes, of phrases with boxes, and of images that a threshold keeps."""
    edges = np.arange(BINS + 1) / BINS
    with drawing() as figure:
        axes = figure.subplots()
        for number, (name, histogram) in enumerate((
                ('boxes', statistics.box_scores), ('phrases', statistics.phrase_scores),
                ('images', statistics.image_scores))):
            above = np.append(histogram[::-1].cumsum()[::-1], 0)
            axes.plot(edges, 100 * above / max(above[0], 1), color=result_color(number),
                      label=name, linewidth=1.8)
        axes.set(xlim=(0, 1), ylim=(0, 103), xlabel='least score', ylabel='kept, in percent')
        axes.legend(frameon=False, fontsize='small', labelcolor=INK)
        _finish(axes)
    return figure


def _finish(axes: Axes) -> None:
    for side in ('top', 'right'):
        axes.spines[side].set_visible(False)
    axes.grid(axis='y', alpha=0.6)
