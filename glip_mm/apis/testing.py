"""Running of tests: evaluate, write ``metrics.json``, compare with published results."""

import json
import math
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import get_world_size, is_main_process
from mmengine.runner import Runner

from glip_mm.atomic_files import write_atomically
from glip_mm.evaluation.tested_datasets import tested_datasets
from glip_mm.version import __version__

from .expected_metrics import expected_metrics
from .expected_vs_obtained import causes, compare


def run_test(runner: Runner) -> dict[str, float]:
    """Run a test and write ``metrics.json`` and ``config.py`` to the work directory.

    Args:
        runner: Runner with a test; ``model_name`` and ``benchmark`` of its config select the
            published numbers to compare with.

    Returns:
        The metrics.
    """
    start = time.time()
    metrics = runner.test()
    if is_main_process():
        loop = runner.test_loop
        datasets = tested_datasets(loop.dataloader.dataset,
                                   getattr(loop.evaluator, 'dataset_prefixes', None))
        write_results(runner.work_dir, metrics, runner.cfg, [d.facts() for d in datasets],
                      time.time() - start)
        report(metrics, runner.cfg, runner.logger)
    return metrics


def write_results(folder: str | Path, metrics: Mapping[str, Any], config: Config,
                  datasets: list[dict[str, Any]], seconds: float) -> Path:
    """Write ``metrics.json`` and ``config.py``.

    Args:
        folder: Work directory.
        metrics: Results of the test.
        config: Config of the test.
        datasets: Tested data sets.
        seconds: Duration of the test; for a resumed test, of its last run.

    Returns:
        Path of ``metrics.json``.
    """
    expected = expected_metrics(config.get('model_name'), config.get('benchmark'))
    content = dict(
        metrics={k: _number(v) for k, v in metrics.items()},
        expected=expected.metrics if expected else None, model=config.get('model_name'),
        benchmark=config.get('benchmark'), checkpoint=str(config.get('load_from') or ''),
        config='config.py', datasets=datasets, environment=environment(), seconds=seconds)
    folder = Path(folder)
    write_atomically(folder / 'config.py', config.pretty_text.encode())
    return write_atomically(folder / 'metrics.json', json.dumps(content, indent=1).encode())


def report(metrics: Mapping[str, Any], config: Config, logger: Any) -> None:
    """Log expected and obtained values, and the usual causes of a difference."""
    expected = expected_metrics(config.get('model_name'), config.get('benchmark'))
    if expected is None:
        return
    table, off = compare(expected, metrics)
    logger.info(f"{config.model_name} on {config.benchmark}:\n{table}")
    if off:
        logger.warning(f'{", ".join(off)}: not as published. {causes()}')


def environment() -> dict[str, str]:
    """Return the versions and the device that a result was made with."""
    import mmcv
    import mmdet
    import mmengine
    import numpy

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor()
    return dict(glip_mm=__version__, python=platform.python_version(), torch=torch.__version__,
                mmcv=mmcv.__version__, mmdet=mmdet.__version__, mmengine=mmengine.__version__,
                numpy=numpy.__version__, device=device or platform.machine(),
                processes=str(get_world_size()))


def _number(value: Any) -> float | None:
    # JSON has no nan, and strict parsers refuse Python's
    value = float(value)
    return value if math.isfinite(value) else None
