"""What tuning costs: the tuned task and the original vocabulary, before and after."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.config import Config

from glip_mm.apis.repeated_tests import Task, test_once
from glip_mm.atomic_files import write_atomically
from glip_mm.models.tuning.modes import MODES
from glip_mm.visualization.retention_chart import draw_retention

BASE = 'before tuning'


def tuned_task(config_file: str | Path, name: str) -> Task:
    """The test of the tuned data as it is for a model that was not tuned."""
    config = Config.fromfile(config_file)
    config.model.pop('tuning', None)
    return Task(name, config, 'finetune/mean')


def for_tuned_weights(task: Task, tuning: str) -> Task:
    """A test whose model has a place for everything that a way of tuning leaves behind.

    An offset to one prompt has no place under another: it is left out, as in use.
    """
    if not MODES[tuning].adapters:
        return task
    config = Config(task.config.to_dict())
    config.model.tuning = tuning
    return task._replace(config=config)


def measure_retention(own: Task, others: Sequence[Task], tuning: str, base: str,
                      tuned: Mapping[str, tuple[str, float]], folder: Path
                      ) -> dict[str, dict[str, float]]:
    """Test what a model could before and can after; finished tests are not repeated.

    Args:
        own: The test of the tuned data.
        others: Tests of the original vocabulary.
        tuning: How it was tuned.
        base: The checkpoint that tuning started from.
        tuned: Run -> its checkpoint, and its result on the tuned data, a share of 1.
        folder: For the tests.

    Returns:
        Task -> model -> metric, shares of 1; :data:`BASE` is the first model.
    """
    def test(task: Task, checkpoint: str, model: str) -> float:
        place = folder / model.replace(' ', '_') / task.name
        return task.value(test_once(task.config, checkpoint, place))

    values = {own.name: {BASE: test(own, base, BASE), **{m: v for m, (_, v) in tuned.items()}}}
    for task in others:
        after = for_tuned_weights(task, tuning)
        values[task.name] = {BASE: test(task, base, BASE),
                             **{m: test(after, path, m) for m, (path, _) in tuned.items()}}
    return values


def retention_table(values: Mapping[str, Mapping[str, float]]) -> str:
    """A row for each model, a column for each task, in percent, with what was gained or lost."""
    lines = [f"| model | {' | '.join(values)} |", '| --- |' + ' ---: |' * len(values)]
    for model in next(iter(values.values())):
        cells = [f'{100 * row[model]:.1f}' + ('' if model == BASE else
                                             f' ({100 * (row[model] - row[BASE]):+.1f})')
                 for row in values.values()]
        lines.append(f"| {model} | {' | '.join(cells)} |")
    return '\n'.join(lines)


def write_retention(values: Mapping[str, Mapping[str, float]], folder: Path) -> str:
    """Write retention.md, .json and .png; returns the table."""
    table = retention_table(values)
    write_atomically(folder / 'retention.md', (table + '\n').encode())
    write_atomically(folder / 'retention.json', json.dumps(values, indent=1).encode())
    models = list(next(iter(values.values())))
    draw_retention(models, {task: [row[m] for m in models] for task, row in values.items()},
                   folder / 'retention.png')
    return table
