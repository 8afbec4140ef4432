"""Tests of many checkpoints in one program; finished tests are not repeated."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from glip_mm.atomic_files import write_atomically
from glip_mm.datasets.data_error import read_json
from glip_mm.file_lock import writing_into
from glip_mm_cli.options import merge_cfg_options

from .launch import build_runner
from .testing import run_test

#: Suffixes of the metric names that summarise a test, in order of preference.
SUMMARIES = ('bbox_mAP', 'AP', 'mean', 'Recall@1')


def test_once(config: Config, checkpoint: str, folder: Path,
              identity: str | None = None) -> dict[str, float]:
    """Test a checkpoint as ``tools/test.py`` does, unless ``folder`` holds the result.

    Args:
        config: Config with a test; it is copied.
        checkpoint: Path or address of the weights.
        folder: Work directory, one for each test.
        identity: Text that identifies the checkpoint where the file itself may be gone; default:
            its path, size and modification time.

    Returns:
        The metrics.
    """
    config = Config(config.to_dict())
    config.pop('work_dir', None)
    key = hashlib.sha256(f'{config.pretty_text}\n{identity or identity_of(checkpoint)}'.encode())
    done = folder / 'test_once.json'
    if done.is_file():
        content = read_json(done)
        if content['key'] == key.hexdigest():
            return content['metrics']
    config.update(work_dir=str(folder), load_from=str(checkpoint), resume=False,
                  # MMEngine caches loggers and visualizers under this name
                  experiment_name=f'{folder.parent.name}_{folder.name}_{key.hexdigest()[:8]}')
    config.setdefault('launcher', 'none')
    with writing_into(folder, config.launcher):
        metrics = {k: float(v) for k, v in run_test(build_runner(config)).items()}
        write_atomically(done, json.dumps(dict(key=key.hexdigest(), metrics=metrics)).encode())
    return metrics


test_once.__test__ = False  # type: ignore[attr-defined]  # pytest would collect it as a test


def identity_of(checkpoint: str) -> str:
    """Return path, size and modification time of a checkpoint, or its address."""
    path = Path(checkpoint)
    if not path.is_file():
        return str(checkpoint)
    stat = path.stat()
    return f'{path.resolve()} {stat.st_size} {stat.st_mtime_ns}'


def main_metric(metrics: Mapping[str, Any], wanted: str | None = None) -> str:
    """Return the name of the metric that summarises a test.

    Args:
        metrics: Results of the test.
        wanted: Name of the metric, if it is known.

    Raises:
        KeyError: If it is not there, or none is known; lists the metrics that are there.
    """
    if wanted is not None:
        if wanted not in metrics:
            raise KeyError(f"metric '{wanted}' is not among {sorted(metrics)}")
        return wanted
    for end in SUMMARIES:
        for name in metrics:
            if name.split('/')[-1] == end:
                return name
    raise KeyError(f'no metric of {sorted(metrics)} is known to sum the test up; name one with '
                   '--metric')


class Task(NamedTuple):
    """A test that several models take.

    Attributes:
        name: Name of the task in tables.
        config: Config with a test.
        metric: Name of the metric to report; None: see :func:`main_metric`.
    """

    name: str
    config: Config
    metric: str | None = None

    def value(self, metrics: Mapping[str, float]) -> float:
        """Return the value of the task's metric."""
        return float(metrics[main_metric(metrics, self.metric)])


def read_task(text: str, metric: str | None = None,
              options: Mapping[str, Any] | None = None) -> Task:
    """Parse a task of the command line.

    Args:
        text: ``CONFIG`` or ``NAME=CONFIG``; the name is the config's otherwise.
        metric: Name of the metric, see :class:`Task`.
        options: Settings that override those of the config.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If it has no test.
    """
    name, _, path = text.rpartition('=')
    if not Path(path).is_file():
        raise FileNotFoundError(f"config '{path}' is not a file")
    config = Config.fromfile(path)
    merge_cfg_options(config, options)
    if not config.get('test_dataloader'):
        raise ValueError(f"config '{path}' has no test_dataloader: give one that tests")
    return Task(name or Path(path).stem, config, metric)
