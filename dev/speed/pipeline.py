"""Benchmark of data loading: training images per second in one process.

Reads random samples of a config's training data through its whole pipeline, with each image
library in turns, and prints images per second (median of the rounds), their ratios, and the time
of each transform. A GPU that trains on F images per second needs F divided by this many workers.

Published results decode and resize with Pillow; OpenCV's pixels differ slightly, so a model that
was trained with one of them is best fine-tuned with the same. TurboJPEG (the library, such as
Debian's libturbojpeg0, and pip install "PyTurboJPEG<2", which fits versions 2 of it) decodes only.

Example:
    python -m dev.speed.pipeline configs/real/glip_nano_raccoon.py \\
        --backends pillow cv2 --cfg-options train_pipeline.1.scale="(800,1333)"
"""

import argparse
import json
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config, DictAction

#: Name -> libraries that decode and resize; TurboJPEG cannot resize.
BACKENDS = dict(pillow=('pillow', 'pillow'), cv2=('cv2', 'cv2'), turbojpeg=('turbojpeg', 'cv2'))


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.speed.pipeline', description=__doc__.splitlines()[0])
    parser.add_argument('config', help='config with a train_dataloader')
    parser.add_argument('--backends', nargs='+', choices=BACKENDS, default=['pillow', 'cv2'])
    parser.add_argument('--samples', type=int, default=50, help='of each round (default: 50)')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--cpu-time', action='store_true',
                        help="count the processor's seconds, for a machine with other work")
    parser.add_argument('--out', help='JSON file for the results')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help='settings that replace those of the config')
    return parser.parse_args()


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    parse_args()

import numpy as np
from mmengine.dataset import Compose
from tqdm import tqdm

from glip_mm.apis.building import build_dataset
from glip_mm.atomic_files import write_atomically
from glip_mm.compat import load_turbojpeg


def steps(config: Any) -> Iterator[Mapping]:
    """Iterate over all dictionaries with a type, at any depth."""
    if isinstance(config, Mapping):
        if 'type' in config:
            yield config
        config = list(config.values())
    if isinstance(config, (list, tuple)):
        for part in config:
            yield from steps(part)


def with_backend(config: Config, name: str) -> Config:
    """Return a copy of the config with another image library."""
    decode, resize = BACKENDS[name]
    config = Config(config.to_dict())
    for step in steps(config.train_dataloader.dataset):
        kind = str(step['type']).rsplit('.', 1)[-1]
        if kind.startswith('LoadImage'):
            step['imdecode_backend'] = decode
        elif 'Resize' in kind:
            step['backend'] = resize
    return config


def time_steps(dataset: Any, spent: Counter) -> None:
    """Record the time of all transforms in a data set's pipelines."""
    members = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    for member in filter(None, members):
        time_steps(member, spent)
    pipeline = getattr(dataset, 'pipeline', None)
    if isinstance(pipeline, Compose):
        pipeline.transforms = [_Timed(step, spent) for step in pipeline.transforms]


class _Timed:

    def __init__(self, step: Any, spent: Counter) -> None:
        self.step, self.spent = step, spent

    def __call__(self, results: Any) -> Any:
        start = time.perf_counter()
        try:
            return self.step(results)
        finally:
            self.spent[type(self.step).__name__] += time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    args = parse_args()
    config = Config.fromfile(args.config)
    if args.cfg_options:
        config.merge_from_dict(args.cfg_options)
    if 'turbojpeg' in args.backends:
        load_turbojpeg()  # for the loaders that are MMCV's
    datasets = {name: build_dataset(with_backend(config, name), 'train') for name in args.backends}
    spent = {name: Counter() for name in datasets}
    for name, dataset in datasets.items():
        dataset[0]  # opens files
        time_steps(dataset, spent[name])
    rng = np.random.default_rng(args.seed)
    rates = {name: [] for name in datasets}
    clock = time.process_time if args.cpu_time else time.perf_counter
    with tqdm(total=args.rounds * len(datasets), unit='round') as bar:
        for _ in range(args.rounds):
            chosen = rng.integers(0, len(next(iter(datasets.values()))), args.samples).tolist()
            for name, dataset in datasets.items():
                start = clock()
                for index in chosen:
                    dataset[index]
                rates[name].append(args.samples / (clock() - start))
                bar.update()
    results = {}
    for name, values in rates.items():
        total = sum(spent[name].values())
        results[name] = dict(
            images_per_second=statistics.median(values),
            ratio=statistics.median(v / w for v, w in zip(values, rates[args.backends[0]])),
            share_of_time={k: v / total for k, v in spent[name].most_common()} if total else {})
        shares = ', '.join(f'{k} {v:.0%}' for k, v in
                           list(results[name]['share_of_time'].items())[:4])
        print(f"{name:10} {results[name]['images_per_second']:8.1f} images/s "
              f"{results[name]['ratio']:6.2f}x   {shares}")
    if args.out:
        write_atomically(args.out, json.dumps(results, indent=1).encode())


if __name__ == '__main__':
    main()
