"""What was measured next to what was published."""

from collections.abc import Sequence
from html import escape

from ...evaluation.analysis.results import Result
from .figures import RESULT_COLORS
from .html import breakable, card, facts, percent, table


def metric_table(results: Sequence[Result]) -> str:
    """A table with a row for each metric.

    With one run its columns are measured, expected, and their difference; with several, each run
    has one column, and what is expected of it stands beneath.

    Args:
        results: The runs.

    Returns:
        HTML.
    """
    keys = list(dict.fromkeys(key for r in results for key in r.metrics))
    keys += [key for key in dict.fromkeys(k for r in results for k in r.expected)
             if key not in keys]
    expected = any(r.expected for r in results)
    several = len(results) > 1
    head = ['metric', *([r.name for r in results] if several else ['measured'])]
    head += ['expected', 'diff.'] if expected and not several else []
    rows = []
    for key in keys:
        row = [breakable(key)]
        for result in results:
            value = result.metrics.get(key)
            row.append(f'<b>{_number(value)}</b>')
            against = _against(value, result.expected.get(key), result.tolerance)
            if not several:
                row += against if expected else []
            elif any(against):
                row[-1] += f'<small>{against[1]} of {against[0]}</small>'
        rows.append(row)
    note = 'Rates in percent.'
    if expected:
        note += ' In small: the difference from the expected number.' if several else ''
        points = ' or '.join(f'{100 * t:.1f}' for t in sorted({r.tolerance for r in results}))
        note += f' Up to {points} points below what is expected are as good as none.'
    body = card('', table(head, rows), note)
    return f'<div class="narrow">{body}</div>\n' if len(results) < 4 else body


def run_cards(results: Sequence[Result]) -> list[str]:
    """A box for each run: what was tested, on what, how fast."""
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
        color = 'rgb({},{},{})'.format(*RESULT_COLORS[index % len(RESULT_COLORS)])
        key = f'<span class="key" style="background:{color}"></span>' if len(results) > 1 else ''
        body = facts((name, value) for name, value in rows if value)
        cards.append(card('', f'<h3>{key}{escape(result.name)}</h3>{body}'))
    return cards


def _against(value: float | None, expected: float | None, tolerance: float) -> list[str]:
    if expected is None:
        return ['', '']
    if value is None or value != value:
        return [_number(expected), '<span class="bad">not measured</span>']
    difference = 100 * (value - expected)
    good = difference >= -100 * tolerance - 1e-9
    shown = round(difference, 1)
    sign = '+' if shown > 0 else '−' if shown < 0 else '±'
    return [_number(expected), f'<span class="{"good" if good else "bad"}">{sign}'
            f'{abs(shown):.1f}</span>']


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
