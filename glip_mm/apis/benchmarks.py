"""Benchmarks by name: data, metrics and protocol of a test, for any model."""

from pathlib import Path

from mmengine.config import Config

from glip_mm.checkpoints.model_index import index_root, index_rows
from glip_mm_cli.benchmarks import FOLDER, benchmark_names
from glip_mm_cli.places import shared_root

#: Prefixes of config keys that only training and validation use.
TRAINING = ('train_', 'val_')
TRAINING_KEYS = ('optim_wrapper', 'param_scheduler')


def apply_benchmark(config: Config, name: str) -> None:
    """Make a config test a benchmark: replace whole keys, and remove those of the training.

    Args:
        config: Config of a model, changed in place. ``model.test_cfg`` gains the benchmark's
            protocol; ``test_*``, ``tta_*`` and ``benchmark`` become the benchmark's.
        name: Name of a benchmark, see :func:`glip_mm_cli.benchmarks.benchmark_names`.
    """
    remove_training(config)
    for key in [key for key in config if key.startswith(('test_', 'tta_'))]:
        config.pop(key)
    config.test_cfg = dict(type='glip_mm.ResumableTestLoop')
    for key, value in Config.fromfile(_file(name)).items():
        config[key] = value
    protocol = config.pop('protocol', None)
    if protocol:
        from glip_mm.models.dense_heads.prediction_settings import translate_mmdet_keys
        config.model.test_cfg = dict(translate_mmdet_keys(config.model.get('test_cfg') or {}),
                                     **protocol)


def remove_training(config: Config) -> None:
    """Remove the config keys that only training and validation use."""
    for key in [key for key in config if key.startswith(TRAINING) or key in TRAINING_KEYS]:
        config.pop(key)


def benchmark_table() -> str:
    """Return name, data, metric and published numbers of all benchmarks as text."""
    rows, published = [], _published()
    for name in benchmark_names():
        file = _file(name)
        evaluators = Config.fromfile(file).test_evaluator
        metric = (evaluators[0] if isinstance(evaluators, list) else evaluators).type
        about = file.read_text(encoding='utf-8').splitlines()[0].lstrip('# ')
        rows.append((name, about, metric, published.get(name, 'none')))
    heads = ('benchmark', 'data', 'metric', 'published, percent')
    widths = [max(map(len, column)) for column in zip(heads, *rows)]
    lines = ['  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
             for row in (heads, tuple('-' * width for width in widths), *rows)]
    return '\n'.join(lines)


def _file(name: str) -> Path:
    return (shared_root() or Path()) / FOLDER / f'{name}.py'


def _published() -> dict[str, str]:
    """Map benchmarks to ``'box AP: GLIP-T (A) 42.9, ...'``, the first metric of each model."""
    numbers: dict[tuple[str, str], list[str]] = {}
    for _, row in index_rows(index_root()):
        for result in row.get('Results') or []:
            if 'Benchmark' in result:
                metric, value = next(iter(result['Metrics'].items()))
                numbers.setdefault((result['Benchmark'], metric), []).append(
                    f"{row['Metadata']['Published Name']} {value}")
    return {name: f"{metric}: {', '.join(values)}" for (name, metric), values in numbers.items()}
