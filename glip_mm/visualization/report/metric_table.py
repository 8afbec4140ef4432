"""Set measured metrics beside published ones."""

from collections.abc import Sequence
from typing import NamedTuple

from glip_mm.evaluation.analysis.results import Result
from glip_mm.visualization.pages import percent
from glip_mm.visualization.palette import Color

from .figures import RESULT_COLORS


class MetricCell(NamedTuple):
    """A metric of a run; ``expected`` and ``difference`` are empty where nothing is expected.

    Attributes:
        value: Measured, formatted.
        expected: Published, formatted.
        difference: Measured less published in points, formatted, or that it was not measured.
        good: Whether the difference is within the tolerance.
    """

    value: str
    expected: str = ''
    difference: str = ''
    good: bool = False


class MetricTable(NamedTuple):
    """A row of cells for each metric.

    Attributes:
        head: Names of the columns.
        rows: Name of each metric and its cell of each run.
        note: Sentence beneath.
        beside: Whether what is expected has columns of its own.
        beneath: Whether it stands beneath what was measured.
        narrow: Whether the table needs less than the width of the page.
    """

    head: list[str]
    rows: list[tuple[str, list[MetricCell]]]
    note: str
    beside: bool
    beneath: bool
    narrow: bool


class RunCard(NamedTuple):
    """The facts of a run: what was tested, on what, how fast."""

    name: str
    color: Color
    facts: list[tuple[str, object]]


def metric_table(results: Sequence[Result]) -> MetricTable:
    """Set metrics beside what is expected of them.

    With one run the columns are measured, expected, and their difference; with several, each run
    has one column, and what is expected of it stands beneath.

    Args:
        results: Runs to show.
    """
    keys = list(dict.fromkeys(key for r in results for key in r.metrics))
    keys += [key for key in dict.fromkeys(k for r in results for k in r.expected)
             if key not in keys]
    expected = any(r.expected for r in results)
    several = len(results) > 1
    head = ['metric', *([r.name for r in results] if several else ['measured'])]
    head += ['expected', 'diff.'] if expected and not several else []
    note = 'Rates in percent.'
    if expected:
        note += ' In small: the difference from the expected number.' if several else ''
        points = ' or '.join(f'{100 * t:.1f}' for t in sorted({r.tolerance for r in results}))
        note += f' Up to {points} points below what is expected are as good as none.'
    return MetricTable(
        head, [(key, [_cell(result.metrics.get(key), result.expected.get(key), result.tolerance)
                      for result in results]) for key in keys],
        note, expected and not several, several, len(results) < 4)


def run_cards(results: Sequence[Result]) -> list[RunCard]:
    """Collect what a report says of each run as a whole."""
    cards = []
    for index, result in enumerate(results):
        images = sum(len(dataset.images) for dataset in result.datasets)
        seconds = result.seconds
        rows = [('benchmark', result.benchmark), ('model', result.model),
                ('checkpoint', result.checkpoint), ('folder', result.folder),
                ('images', f'{images:,}' if images else None)]
        if seconds == seconds:
            rate = f', {images / seconds:.1f} images a second' if images and seconds else ''
            rows.append(('time', f'{_time(seconds)}{rate}'))
        cards.append(RunCard(result.name, RESULT_COLORS[index % len(RESULT_COLORS)],
                             [(name, value) for name, value in rows if value]))
    return cards


def _cell(value: float | None, expected: float | None, tolerance: float) -> MetricCell:
    if expected is None:
        return MetricCell(_number(value))
    if value is None or value != value:
        return MetricCell(_number(value), _number(expected), 'not measured')
    difference = 100 * (value - expected)
    shown = round(difference, 1)
    sign = '+' if shown > 0 else '−' if shown < 0 else '±'
    return MetricCell(_number(value), _number(expected), f'{sign}{abs(shown):.1f}',
                      difference >= -100 * tolerance - 1e-9)


def _number(value: float | None) -> str:
    # what is no share of 1 is shown as it is: counts, seconds
    if value is not None and value > 1:
        return f'{value:,.4g}'
    return percent(value)


def _time(seconds: float) -> str:
    if seconds < 120:
        return f'{seconds:.1f} s'
    minutes = round(seconds / 60)
    return f'{minutes} min' if minutes < 120 else f'{minutes // 60} h {minutes % 60} min'
