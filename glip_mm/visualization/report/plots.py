"""Draw the plots of a report; each result has one colour in all of them."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator

from glip_mm.evaluation.analysis.calibration import Calibration
from glip_mm.visualization.curves import Curve, plot_curves
from glip_mm.visualization.page_style import GRID, INK, MUTED
from glip_mm.visualization.palette import PALETTE

from .figures import RESULT_COLORS, WIDTH, drawing, result_color

_RECALLS = np.linspace(0, 1, 101)


def dataset_bars(values: Mapping[str, Sequence[float]], datasets: Sequence[str]) -> Figure:
    """Draw a horizontal bar for each data set and result, and paler ones for their means.

    Args:
        values: Name of a result -> ``[N]`` percent, NaN where it lacks a data set.
        datasets: ``N`` names of data sets.
    """
    thick = 0.8 / len(values)
    rows = [*datasets, 'mean']
    height = 0.9 + len(rows) * max(0.24, 0.17 * len(values))
    with drawing(height=height) as figure:
        axes = figure.subplots()
        for index, (name, numbers) in enumerate(values.items()):
            row = np.asarray(numbers, dtype=float)
            row = np.append(row, row[np.isfinite(row)].mean() if np.isfinite(row).any() else np.nan)
            places = np.arange(len(rows)) + (index - (len(values) - 1) / 2) * thick
            bars = axes.barh(places, np.nan_to_num(row), thick * 0.9, color=result_color(index),
                             label=name)
            bars[-1].set_alpha(0.5)
            for place, value in zip(places, row):
                axes.text(np.nan_to_num(value) + 1, place, _number(value), va='center',
                          fontsize=7.5, color=INK)
        axes.set_yticks(range(len(rows)), [_short(name, 22) for name in rows])
        axes.set(xlim=(0, 109), xlabel='AP in percent', xticks=range(0, 101, 20))
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.tick_params(axis='y', labelcolor=INK)
        axes.grid(axis='x', alpha=0.6)
        _finish(axes, len(values), legend_above=True)
    return figure


def group_bars(values: Mapping[str, Sequence[float]], groups: Sequence[str],
               ylabel: str = 'AP in percent', percent: bool = True) -> Figure:
    """Draw a bar for each group and result, those of a group side by side.

    Args:
        values: Name of a result -> ``[N]`` numbers, NaN where there is none.
        groups: ``N`` names of groups; a line break may be in them.
        ylabel: Unit of the numbers.
        percent: Whether the axis goes from 0 to 100.
    """
    thick = 0.8 / len(values)
    with drawing() as figure:
        axes = figure.subplots()
        top = 100 if percent else max(1, np.nanmax([*values.values()], initial=1))
        for index, (name, row) in enumerate(values.items()):
            places = np.arange(len(groups)) + (index - (len(values) - 1) / 2) * thick
            axes.bar(places, np.nan_to_num(row), thick * 0.92, color=result_color(index),
                     label=name)
            for place, value in zip(places, row):
                text = _number(value) if percent else f'{value:.0f}'
                axes.text(place, np.nan_to_num(value) + top * 0.015, text, ha='center',
                          fontsize=8 if len(values) < 3 else 7, color=INK)
        axes.set_xticks(range(len(groups)), groups)
        axes.set(ylim=(0, top * 1.09), ylabel=ylabel)
        axes.tick_params(axis='x', labelcolor=INK)
        axes.grid(axis='y', alpha=0.6)
        _finish(axes, len(values), legend_above=True)
    return figure


def precision_recall(precision: Mapping[str, np.ndarray], small: bool = False) -> Figure:
    """Draw precision over recall.

    Args:
        precision: Name of a line -> ``[101]``; NaN where there is nothing to find.
        small: Whether it is one of many plots, without labels.
    """
    size = (2.2, 1.5, None) if small else (WIDTH, 2.8)
    with drawing(*size) as figure:
        axes = figure.subplots()
        draw_precision_recall(axes, precision, small)
        if small:
            figure.subplots_adjust(0.12, 0.13, 0.98, 0.98)
    return figure


def precision_recall_grid(classes: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Draw :func:`precision_recall` of each class in one figure.

    Args:
        classes: Name of a class -> its lines.
    """
    columns = min(4, len(classes))
    rows = -(-len(classes) // columns)
    with drawing(2.3 * columns, 1.8 * rows + 0.4, None) as figure:
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes, (name, precision) in zip(grid.flat, classes.items()):
            draw_precision_recall(axes, precision, small=True)
            axes.set_title(_short(name, 26), fontsize=9)
        for axes in grid.flat[len(classes):]:
            axes.set_visible(False)
        if len(next(iter(classes.values()))) > 1:
            figure.legend(*grid.flat[0].get_legend_handles_labels(), ncols=4, frameon=False,
                          loc='upper center', borderaxespad=0.2)
        height = 1.8 * rows + 0.4
        figure.subplots_adjust(0.1 / columns, 0.25 / height, 1 - 0.02 / columns,
                               1 - 0.5 / height, 0.18, 0.35)
    return figure


def draw_precision_recall(axes: Axes, precision: Mapping[str, np.ndarray],
                          small: bool = False) -> None:
    """Draw the lines of :func:`precision_recall`."""
    curves = [Curve(name, _RECALLS, np.asarray(row), exact=True)
              for name, row in precision.items()]
    plot_curves(axes, curves, palette=RESULT_COLORS)
    axes.set(xlim=(0, 1.01), ylim=(0, 1.03))
    ticks = [0, 0.5, 1] if small else [0, 0.25, 0.5, 0.75, 1]
    axes.set_xticks(ticks, [f'{tick:g}' for tick in ticks])
    axes.set_yticks(ticks, [f'{tick:g}' for tick in ticks])
    if small:
        axes.tick_params(labelsize=8)
        legend = axes.get_legend()
        if legend is not None:
            legend.remove()
    else:
        axes.set(xlabel='recall', ylabel='precision')


def calibration(curves: Mapping[str, Calibration]) -> Figure:
    """Draw the share of true detections over their score, and how many there are.

    Args:
        curves: Name of a result -> its calibration.
    """
    with drawing(height=3.3) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        upper.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle='--')
        lines = []
        for name, curve in curves.items():
            filled = curve.count > 0
            lines.append(Curve(name, curve.score[filled], curve.right[filled], dots=True,
                               exact=True))
        plot_curves(upper, lines, palette=RESULT_COLORS)
        for index, curve in enumerate(curves.values()):
            width = (curve.edges[1] - curve.edges[0]) * 0.9 / len(curves)
            places = curve.edges[:-1] + width * (index + 0.55)
            lower.bar(places, curve.count, width, color=result_color(index))
        upper.set(ylim=(-0.02, 1.03), ylabel='share that is right')
        lower.set(xlim=(0, 1), xlabel='score', ylabel='boxes', yscale='symlog')
        lower.grid(axis='y', alpha=0.6)
        _finish(lower, 1)
        if len(curves) == 1:
            upper.get_legend().remove()
    return figure


def ap_over_boxes(points: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Draw a dot for each class: its AP over the number of its boxes.

    Args:
        points: Name of a result -> ``[C]`` boxes and ``[C]`` AP in percent.
    """
    with drawing() as figure:
        axes = figure.subplots()
        for index, (name, (boxes, ap)) in enumerate(points.items()):
            axes.plot(boxes, ap, 'o', color=result_color(index), alpha=0.65, markersize=4.5,
                      markeredgewidth=0, label=name)
        axes.set(xscale='log', ylim=(0, 103), xlabel='boxes of the class', ylabel='AP in percent')
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter('{x:,.0f}')
        axes.minorticks_off()
        axes.grid(alpha=0.6)
        _finish(axes, len(points), legend_above=True)
    return figure


def confusion_matrix(table: np.ndarray, names: Sequence[str]) -> Figure:
    """Draw counts, shaded by the share of their row; the last row by that of their column.

    Args:
        table: ``[C + 1, C + 1]`` counts; last row: false otherwise, last column: not found.
        names: ``C`` names of classes.
    """
    size = max(WIDTH, 1.5 + 0.3 * len(table))
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    share[-1] = table[-1] / np.maximum(table.sum(axis=0), 1)
    blue = np.array(PALETTE[1]) / 255
    with drawing(size, size) as figure:
        axes = figure.subplots()
        for row, column in zip(*np.nonzero(table)):
            # errors stand out from what is right
            color = blue if row == column else np.array(PALETTE[0]) / 255
            axes.add_patch(_square(column, row, (*color, 0.08 + 0.8 * share[row, column])))
            axes.text(column, row, f'{table[row, column]:,}', ha='center', va='center',
                      fontsize=8 if table[row, column] < 1000 else 6.5, color=INK)
        count = len(names)
        axes.set(xlim=(-0.5, count + 0.5), ylim=(count + 0.5, -0.5), aspect='equal',
                 xlabel='taken for', ylabel='truth')
        short = [_short(name, 18) for name in names]
        axes.set_xticks(range(count + 1), [*short, 'not found'], rotation=90)
        axes.set_yticks(range(count + 1), [*short, 'nothing of these'])
        axes.tick_params(labelcolor=INK)
        for edge in np.arange(count + 2) - 0.5:
            axes.axhline(edge, color=GRID, linewidth=0.5)
            axes.axvline(edge, color=GRID, linewidth=0.5)
        _finish(axes, 1)
    return figure


def _square(x: float, y: float, color: tuple[float, ...]) -> Rectangle:
    return Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=color, edgecolor='none')


def _finish(axes: Axes, results: int, legend_above: bool = False) -> None:
    for side in ('top', 'right'):
        axes.spines[side].set_visible(False)
    if results > 1 and legend_above:
        axes.legend(frameon=False, fontsize='small', loc='lower left', bbox_to_anchor=(0, 1),
                    ncols=3, borderaxespad=0.2, columnspacing=1, handlelength=1)


def _number(value: float) -> str:
    return '–' if value != value else f'{value:.1f}'


def _short(name: str, letters: int) -> str:
    return name if len(name) <= letters else name[:letters - 1].rstrip() + '…'
