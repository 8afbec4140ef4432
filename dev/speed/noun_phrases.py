"""Benchmark of the noun phrase parsers: captions per second on one core.

Example:
    OMP_NUM_THREADS=1 python -m dev.speed.noun_phrases \\
        data/self_training_world/annotations/pool.jsonl
"""

import argparse
import itertools
import sys
import time
from tempfile import TemporaryDirectory

CHOICES = (('spacy', 'published'), ('spacy', 'chunks'), ('textblob', 'published'))


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.speed.noun_phrases', description=__doc__.splitlines()[0])
    parser.add_argument('captions', help='captions, as tools/pseudo_label.py takes them')
    parser.add_argument('--count', type=int, default=5000, help='captions (default: 5000)')
    return parser


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    make_parser().parse_args()

from glip_mm.pseudo_labels import find_shards
from glip_mm.text import NounPhraseFinder


def main() -> None:
    """Measure and print."""
    args = make_parser().parse_args()
    try:
        with TemporaryDirectory() as folder:
            samples = itertools.chain.from_iterable(find_shards(args.captions, folder))
            texts = [s.caption for s in itertools.islice(samples, args.count) if s.caption]
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    print('| parser | captions a second |\n| --- | --- |')
    for name, grammar in CHOICES:
        try:
            finder = NounPhraseFinder(name, grammar)
        except ImportError as error:
            print(f'| {name} | not installed: {error} |')
            continue
        list(finder.pipe(texts[:256]))
        start = time.process_time()
        for _ in finder.pipe(texts):
            pass
        print(f'| {finder.version} | {len(texts) / (time.process_time() - start):,.0f} |')


if __name__ == '__main__':
    main()
