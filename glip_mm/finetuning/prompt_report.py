"""Report of a prompt search: a table, JSON, and the resulting prompts."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glip_mm.atomic_files import write_atomically
from glip_mm.visualization.prompt_chart import draw_prompts

from .prompt_search import SearchResult, Trial

MARK = '✓'
HEAD = ('class', 'boxes / images', 'in the prompt', 'AP', 'difference', '95 % interval',
        'all classes', 'verdict', 'chosen')


def last_round(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials of each class in the last round."""
    return [t for t in trials if t.round == trials[-1].round]


def prompt_table(trials: Sequence[Trial], counts: Mapping[str, tuple[int, int]]) -> str:
    """Format the candidates of a round as a Markdown table, in percent.

    Args:
        trials: Trials of the round.
        counts: Number of boxes of each class, and number of images that have one.
    """
    rows = [HEAD, ['---', *['---:' if 2 < i < 7 else '---' for i in range(1, len(HEAD))]]]
    for trial in trials:
        interval = '' if trial.interval is None else between(trial.interval)
        plain = not trial.override
        rows.append([trial.name if plain else '', '{} / {}'.format(*counts[trial.name])
                     if plain else '', trial.words, f'{100 * trial.AP:.1f}',
                     '' if plain else f'{100 * trial.difference:+.1f}', interval,
                     f'{100 * trial.mean_AP:.1f}', trial.verdict, MARK * trial.chosen])
    return '\n'.join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
                     for row in rows)


def between(interval: tuple[float, float]) -> str:
    """Format an interval of differences in percent."""
    return f'{100 * interval[0]:+.1f} to {100 * interval[1]:+.1f}'


def closing_lines(result: SearchResult, lacking: Sequence[str]) -> str:
    """Summarise the gain of all chosen words, and the classes that were left out."""
    text = f'All classes: {100 * result.start_AP:.1f} AP before, {100 * result.AP:.1f} with the ' \
           'chosen words'
    if result.interval is not None:
        text += f' (95 % interval of the difference: {between(result.interval)})'
    text += '.'
    if lacking:
        text += f"\nNot tried, because the split has no boxes of them: {', '.join(lacking)}."
    return text


def write_prompt_results(folder: Path, result: SearchResult, prompts: Mapping[str, Any],
                         counts: Mapping[str, tuple[int, int]], facts: Mapping[str, Any],
                         lacking: Sequence[str] = ()) -> str:
    """Write results.md, results.json, prompts.json and results.png.

    Args:
        folder: Folder for the files.
        result: Result of the search.
        prompts: Content of prompts.json.
        counts: Number of boxes and images of each class, see :func:`prompt_table`.
        facts: Description of the run for results.json.
        lacking: Classes with candidates but without boxes.

    Returns:
        The table.
    """
    shown = last_round(result.trials)
    table = f'{prompt_table(shown, counts)}\n\n{closing_lines(result, lacking)}'
    content = dict(
        facts, mean_AP=dict(before=result.start_AP, chosen=result.AP, interval=result.interval),
        # the form of a data set's caption_prompt in configs
        caption_prompt={name: dict(o) for name, o in result.wordings.items()},
        trials=[dict(vars(t), words=t.words, boxes=counts[t.name][0], images=counts[t.name][1])
                for t in result.trials])
    write_atomically(folder / 'results.md', f'{table}\n'.encode())
    write_atomically(folder / 'results.json', json.dumps(content, indent=1).encode())
    write_atomically(folder / 'prompts.json', json.dumps(prompts, indent=1).encode())
    draw_prompts(shown, folder / 'results.png')  # type: ignore[arg-type]  # it sets no field
    return table
