"""Plot curves of several runs, smoothed, and averaged where runs differ by their seed alone."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .files import write_atomically
from .palette import PALETTE, Color

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Curve:
    """A line of a plot.

    Attributes:
        label: Name in the legend; curves of one name share a colour.
        x: ``[n]`` places.
        y: ``[n]`` values.
        spread: ``[n]`` half the height of the band around the line, or ``None``.
        dots: Whether single values are marked, as for a metric of few validations.
        exact: Whether the curve is never smoothed, as a learning rate.
    """

    label: str
    x: np.ndarray
    y: np.ndarray
    spread: np.ndarray | None = None
    dots: bool = False
    exact: bool = False


def smooth(values: np.ndarray, weight: float) -> np.ndarray:
    """Compute the exponential moving average without the bias of its start.

    Args:
        values: ``[n]`` values; NaN stays NaN and does not spread.
        weight: Share of the past that is kept, from 0 (nothing) to below 1.

    Returns:
        ``[n]`` smoothed values.

    Raises:
        ValueError: If the weight is outside.

    Example:
        >>> smooth(np.array([1., 1., 3.]), 0.5).round(2).tolist()
        [1.0, 1.0, 2.14]
    """
    if not 0 <= weight < 1:
        raise ValueError(f'smooth={weight} must be at least 0 and below 1')
    result, total, mass = np.empty(len(values)), 0., 0.
    for index, value in enumerate(values):
        if np.isfinite(value):
            total, mass = weight * total + (1 - weight) * value, weight * mass + 1 - weight
        result[index] = total / mass if np.isfinite(value) else value
    return result


def mean_curve(curves: Sequence[Curve], label: str | None = None) -> Curve:
    """Compute the mean of curves and its deviation.

    Args:
        curves: One curve or more. Where their x differ, they are compared at those that lie
            within all of them, interpolated.
        label: Label of the mean; default: the first curve's.

    Returns:
        A curve whose ``spread`` is the sample deviation (n - 1); ``None`` for a single curve.

    Raises:
        ValueError: If the curves have no x in common.
    """
    label = curves[0].label if label is None else label
    kind = dict(dots=all(c.dots for c in curves), exact=all(c.exact for c in curves))
    if len(curves) == 1:
        return Curve(label, curves[0].x, curves[0].y, None, **kind)
    low, high = max(c.x[0] for c in curves), min(c.x[-1] for c in curves)
    x = np.unique(np.concatenate([c.x for c in curves]))
    x = x[(x >= low) & (x <= high)]
    if not len(x):
        raise ValueError(f"the {len(curves)} runs of '{label}' have no steps in common")
    y = np.stack([np.interp(x, c.x, c.y) for c in curves])
    return Curve(label, x, y.mean(axis=0), y.std(axis=0, ddof=1), **kind)


def plot_curves(axes: 'Axes', curves: Sequence[Curve], smoothing: float = 0.,
                palette: Sequence[Color] = PALETTE) -> None:
    """Draw curves.

    Args:
        axes: Axes of Matplotlib.
        curves: Curves to draw; the legend names each label once.
        smoothing: Weight of :func:`smooth`; the values themselves stay visible, faintly.
        palette: RGB of the labels, in order.
    """
    labels = list(dict.fromkeys(curve.label for curve in curves))
    named = set()
    for curve in curves:
        color = tuple(c / 255 for c in palette[labels.index(curve.label) % len(palette)])
        name = None if curve.label in named else curve.label
        named.add(curve.label)
        line = smooth(curve.y, smoothing) if smoothing and not curve.exact else curve.y
        if line is not curve.y:
            axes.plot(curve.x, curve.y, color=color, alpha=0.25, linewidth=0.8)
        if curve.spread is not None:
            axes.fill_between(curve.x, line - curve.spread, line + curve.spread, color=color,
                              alpha=0.18, linewidth=0)
        # a single value is no line
        marker = 'o' if curve.dots or len(curve.x) == 1 else None
        axes.plot(curve.x, line, color=color, linewidth=1.6, marker=marker, markersize=4,
                  label=name)
    axes.grid(alpha=0.3)
    for side in ('top', 'right'):
        axes.spines[side].set_visible(False)
    if labels:
        axes.legend(frameon=False, fontsize='small')


def plot_bars(axes: 'Axes', groups: Mapping[str, Sequence[float]]) -> None:
    """Draw the mean of each group as a bar, its deviation, and every single value as a dot.

    Args:
        axes: Axes of Matplotlib.
        groups: Values by name, in the order they are drawn.
    """
    for index, values in enumerate(groups.values()):
        mean, deviation = mean_and_deviation(values)
        color = tuple(c / 255 for c in PALETTE[index % len(PALETTE)])
        axes.bar(index, mean, color=color, alpha=0.45, width=0.6)
        if deviation == deviation:
            axes.errorbar(index, mean, deviation, color='black', capsize=4, linewidth=1.2)
        # side by side, so that equal values are seen apart
        places = index + 0.08 * (np.arange(len(values)) - (len(values) - 1) / 2)
        axes.plot(places, values, 'o', color=color, markeredgecolor='black', markersize=4)
    # long names would run into each other
    slanted: dict[str, Any] = dict(rotation=35, ha='right') if sum(map(len, groups)) > 30 else {}
    axes.set_xticks(range(len(groups)), list(groups), **slanted)
    axes.grid(axis='y', alpha=0.3)
    for side in ('top', 'right'):
        axes.spines[side].set_visible(False)


def save_figure(figure: 'Figure', path: str | Path) -> Path:
    """Write a figure of Matplotlib, whole or not at all.

    Raises:
        ValueError: If the suffix is no format of Matplotlib.
    """
    path = Path(path)
    kinds = figure.canvas.get_supported_filetypes()
    kind = path.suffix.lstrip('.').lower()
    if kind not in kinds:
        raise ValueError(f"the picture '{path}' must end in one of {', '.join(sorted(kinds))}")
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=150)
    return write_atomically(path, buffer.getvalue())


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """Return mean and sample deviation (n - 1) of some runs; a single one's deviation is NaN.

    Raises:
        ValueError: If there is none.
    """
    array = np.asarray(values, dtype=np.float64)
    if not array.size:
        raise ValueError('there is no run to average')
    return float(array.mean()), float(array.std(ddof=1)) if array.size > 1 else float('nan')


def plus_minus(mean: float, deviation: float, digits: int = 1) -> str:
    """Format ``mean ± deviation`` for a table; without the deviation where there is none.

    Example:
        >>> plus_minus(60.04, 1.26), plus_minus(60.04, float('nan'))
        ('60.0 ± 1.3', '60.0')
    """
    text = f'{mean:.{digits}f}'
    return text if deviation != deviation else f'{text} ± {deviation:.{digits}f}'
