"""The option ``--benchmark``, and earlier releases' configs that it replaces."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .places import shared_file, shared_root

#: Folder with each benchmark's data, evaluator and protocol.
FOLDER = Path('configs') / '_base_' / 'benchmarks'
#: Pattern of configs such as ``configs/lvis/MODEL_lvis-minival.py`` in release 0.1.
MOVED = re.compile(r'configs/(?:coco|lvis|flickr30k|refcoco|odinw)/([^/]+)_([^/_]+)\.py$')


def benchmark_names() -> list[str]:
    """List the names of the benchmarks, sorted."""
    root = shared_root()
    return [] if root is None else sorted(path.stem for path in (root / FOLDER).glob('*.py'))


def moved_config(name: str) -> tuple[str, str] | None:
    """Return the model config and the benchmark that replace a config of an earlier release.

    Args:
        name: Path of a config that does not exist.

    Returns:
        Config of the model and name of the benchmark; None if there never was such a config.
    """
    found = MOVED.search(Path(name).as_posix())
    if found is None or Path(name).is_file():
        return None
    model, benchmark = f'configs/glip/{found[1]}.py', found[2].replace('-', '_')
    there = benchmark in benchmark_names() and shared_file(model).is_file()
    return (str(shared_file(model)), benchmark) if there else None


class _Benchmark(argparse.Action):
    """Accepts the name of a benchmark; ``list`` prints all of them and ends the program."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace,
                 values: str | Sequence[Any] | None, option_string: str | None = None) -> None:
        names = benchmark_names()
        if values == 'list':
            from glip_mm.apis.benchmarks import benchmark_table  # slow, so only when needed
            print(benchmark_table())
            parser.exit()
        if values not in names:
            parser.error(f"{option_string} '{values}': there is no such benchmark; there are "
                         f"{', '.join(names)}; '{option_string} list' says what they are")
        setattr(namespace, self.dest, values)


def add_benchmark_option(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--benchmark``."""
    parser.add_argument('--benchmark', action=_Benchmark, metavar='NAME',
                        help='test with the data, metrics and protocol of this benchmark in place '
                        "of the config's; 'list' shows all")
