"""Forgetting by fine-tuning: the tuned task and the original vocabulary, before and after."""

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
    """Build the test of the tuned data for a model that was not tuned."""
    config = Config.fromfile(config_file)
    config.model.pop('tuning', None)
    return Task(name, config, 'finetune/mean')


def for_tuned_weights(task: Task, tuning: str) -> Task:
    """Adapt a test's model to the weights of a tuning mode.

    An offset to one prompt does not fit another: it is left out, as in use.
    """
    if not MODES[tuning].adapters:
        return task
    config = Config(task.config.to_dict())
    config.model.tuning = tuning
    return task._replace(config=config)


def measure_retention(own: Task, others: Sequence[Task], tuning: str, base: str,
                      tuned: Mapping[str, tuple[str, float]], folder: Path
                      ) -> dict[str, dict[str, float]]:
    """Test a model before and after tuning; finished tests are not repeated.

    Args:
        own: Test of the tuned data.
        others: Tests of the original vocabulary.
        tuning: Tuning mode.
        base: Checkpoint that tuning started from.
        tuned: Run -> its checkpoint, and its result on the tuned data, in 0..1.
        folder: Folder of the tests.

    Returns:
        Task -> model -> metric, in 0..1; :data:`BASE` is the first model.
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
    """Format a table of models and tasks, in percent, with gains and losses."""
    lines = [f"| model | {' | '.join(values)} |", '| --- |' + ' ---: |' * len(values)]
    for model in next(iter(values.values())):
        cells = [f'{100 * row[model]:.1f}' + ('' if model == BASE else
                                             f' ({100 * (row[model] - row[BASE]):+.1f})')
                 for row in values.values()]
        lines.append(f"| {model} | {' | '.join(cells)} |")
    return '\n'.join(lines)


def write_retention(values: Mapping[str, Mapping[str, float]], folder: Path) -> str:
    """Write retention.md, .json and .png; return the table."""
    table = retention_table(values)
    write_atomically(folder / 'retention.md', (table + '\n').encode())
    write_atomically(folder / 'retention.json', json.dumps(values, indent=1).encode())
    models = list(next(iter(values.values())))
    draw_retention(models, {task: [row[m] for m in models] for task, row in values.items()},
                   folder / 'retention.png')
    return table
