"""Read the logs that MMEngine writes while it trains."""

import difflib
import logging
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmengine.logging import print_log

from glip_mm.datasets.data_error import read_text
from glip_mm.text.safe_json import load_json


class Series(NamedTuple):
    """One key of a log.

    Attributes:
        iterations: ``[n]`` training iterations done when a value was written.
        epochs: ``[n]`` the epoch of each value, NaN where the log does not count epochs.
        values: ``[n]`` the numbers.
    """

    iterations: np.ndarray
    epochs: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Row:
    """A line of a log.

    Attributes:
        iteration: Training iterations done.
        epoch: Current epoch from 1, or NaN.
        training: Whether the row was written while training rather than after a validation.
        values: Numbers by key.
    """

    iteration: int
    epoch: float
    training: bool
    values: dict[str, float]


@dataclass(frozen=True)
class TrainingLog:
    """All rows of one training run, resumed or not, in order.

    Attributes:
        path: File or directory that was asked for.
        rows: Rows in order.
    """

    path: Path
    rows: tuple[Row, ...]

    @property
    def keys(self) -> list[str]:
        """Return every key, in order of appearance."""
        return list(dict.fromkeys(key for row in self.rows for key in row.values))

    def match(self, pattern: str) -> list[str]:
        """Find the keys that are meant by a name.

        Args:
            pattern: Key; or the last parts of one (``bbox_mAP`` means ``seen/coco/bbox_mAP``
                and every other that ends so); or a pattern with ``*``.

        Returns:
            The keys, in order of appearance.

        Raises:
            KeyError: If there is none; the message names keys that read alike.
        """
        keys = self.keys
        if pattern in keys:
            return [pattern]
        found = [k for k in keys if k.endswith(f'/{pattern}') or fnmatchcase(k, pattern)]
        if not found:
            ends = {k.rsplit('/', 1)[-1]: k for k in keys}
            close = difflib.get_close_matches(pattern, [*keys, *ends], n=4, cutoff=0.5)
            names = list(dict.fromkeys(ends.get(k, k) for k in close)) or keys[:20]
            raise KeyError(f"'{self.path}' has no key '{pattern}'; it has "
                           f"{', '.join(names) or 'no keys at all'}")
        return found

    def is_training_key(self, key: str) -> bool:
        """Return whether a key is written while training."""
        return any(row.training and key in row.values for row in self.rows)

    def series(self, key: str, start_epoch: int = 1) -> Series:
        """Return the values of one key.

        Args:
            key: Exact key.
            start_epoch: First epoch to return.

        Returns:
            The series; values of the validations are left out where training logs the same key
            (``time``).
        """
        training = self.is_training_key(key)
        rows = [r for r in self.rows if key in r.values and r.training == training
                and not r.epoch < start_epoch]
        return Series(np.array([r.iteration for r in rows], dtype=np.int64),
                      np.array([r.epoch for r in rows], dtype=np.float64),
                      np.array([r.values[key] for r in rows], dtype=np.float64))


def read_log(path: str | Path) -> TrainingLog:
    """Read the log of one run.

    Args:
        path: JSON log (``vis_data/*.json``), or work directory. The directory's runs are
            joined in the order of their start: what a resumed run did again replaces what was
            written before.

    Returns:
        The log.

    Raises:
        FileNotFoundError: If there is no log.
        ValueError: If a line is no JSON object, with file and line. Half a line at the very end,
            as a killed job leaves it, is skipped with a warning.
    """
    path = Path(path)
    rows: list[Row] = []
    for file in find_logs(path):
        new = _read_file(file)
        first = next((r.iteration for r in new if r.training), None)
        if first is not None:
            rows = [r for r in rows if r.iteration < first]
        rows += new
    return TrainingLog(path, tuple(rows))


def find_logs(path: Path) -> list[Path]:
    """Find the JSON logs of a work directory by start time, or the file itself.

    Raises:
        FileNotFoundError: If there is none.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(f"'{path}' is neither a JSON log nor a work directory")
    found = []
    for folder in sorted([*path.glob('*/vis_data'), *path.glob('vis_data')]):
        # the log named after the run; scalars.json repeats it
        files = [f for f in sorted(folder.glob('*.json')) if f.name != 'scalars.json']
        found += files or sorted(folder.glob('scalars.json'))
    found = found or sorted(f for f in path.glob('*.json') if path.name == 'vis_data')[:1]
    if not found:
        raise FileNotFoundError(f"no log in '{path}': expected TIME_OF_START/vis_data/*.json, as "
                                'tools/train.py writes them')
    return found


def _read_file(file: Path) -> list[Row]:
    rows: list[Row] = []
    iteration, epoch = 0, float('nan')
    lines = read_text(file).splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            content = load_json(line)
            if not isinstance(content, dict):
                raise ValueError(f'a {type(content).__name__}')
            training = 'iter' in content
            step = float(content.get('step', iteration))
            if training:
                iteration = int(float(content['iter']))
                epoch = float(content.get('epoch', 'nan'))
            # after a validation the step counts epochs where the loop does, else iterations
            elif epoch != epoch and step > iteration:
                iteration = int(step)
            values = {k: float(v) for k, v in content.items()
                      if k not in ('iter', 'step', 'epoch') and isinstance(v, (int, float))}
        except (OverflowError, TypeError, ValueError) as error:
            if number == len(lines):
                print_log(f"{file}:{number} is cut off and skipped: the job was stopped while it "
                          'wrote', logger='current', level=logging.WARNING)
                break
            raise ValueError(f'{file}:{number} is not a JSON object of numbers ({error}); is this '
                             'a log of MMEngine (work_dir/*/vis_data/*.json)?') from error
        rows.append(Row(iteration, epoch if training or epoch != epoch else step, training, values))
    return rows
