"""The option ``--benchmark``, and configs of earlier releases that it stands for."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .places import shared_file, shared_root

#: Where each benchmark's data, evaluator and protocol are said, below the folder of ``configs``.
FOLDER = Path('configs') / '_base_' / 'benchmarks'
#: ``configs/lvis/MODEL_lvis-minival.py`` of release 0.1.
MOVED = re.compile(r'configs/(?:coco|lvis|flickr30k|refcoco|odinw)/([^/]+)_([^/_]+)\.py$')


def benchmark_names() -> list[str]:
    """Names of the benchmarks that are there, sorted."""
    root = shared_root()
    return [] if root is None else sorted(path.stem for path in (root / FOLDER).glob('*.py'))


def moved_config(name: str) -> tuple[str, str] | None:
    """The model and the benchmark that a config of an earlier release stood for.

    Args:
        name: Path of a config that is not there.

    Returns:
        Config of the model and name of the benchmark; None if it never was such a config.
    """
    found = MOVED.search(Path(name).as_posix())
    if found is None or Path(name).is_file():
        return None
    model, benchmark = f'configs/glip/{found[1]}.py', found[2].replace('-', '_')
    there = benchmark in benchmark_names() and shared_file(model).is_file()
    return (str(shared_file(model)), benchmark) if there else None


class _Benchmark(argparse.Action):
    """Accepts a name that is there; ``list`` prints all of them and ends the program."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace,
                 values: str | Sequence[Any] | None, option_string: str | None = None) -> None:
        names = benchmark_names()
        if values == 'list':
            from glip_mm.apis.benchmarks import benchmark_table  # after the cheap ways: slow
            print(benchmark_table())
            parser.exit()
        if values not in names:
            parser.error(f"{option_string} '{values}': there is no such benchmark; there are "
                         f"{', '.join(names)}; '{option_string} list' says what they are")
        setattr(namespace, self.dest, values)


def add_benchmark_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--benchmark``."""
    parser.add_argument('--benchmark', action=_Benchmark, metavar='NAME',
                        help='test with the data, metrics and protocol of this benchmark in place '
                        "of the config's; 'list' shows all")
