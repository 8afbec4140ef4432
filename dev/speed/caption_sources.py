"""Benchmark of reading captions for labelling: seconds to begin, to resume and to read all shards.

Rows and names are generated; images are empty files.

Example:
    python -m dev.speed.caption_sources --sizes 10000 100000
"""

import argparse
import csv
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory

KINDS = ('jsonl', 'csv', 'folder')


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.speed.caption_sources', description=__doc__.splitlines()[0])
    parser.add_argument('--sizes', type=int, nargs='+', default=[10_000, 100_000])
    parser.add_argument('--kinds', nargs='+', choices=KINDS, default=KINDS)
    parser.add_argument('--folder', help='folder for the generated data (default: a temporary one)')
    return parser


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    make_parser().parse_args()

from glip_mm.pseudo_labels import find_shards


def generate(kind: str, count: int, folder: Path) -> Path:
    """Write captioned images; return what ``--data`` is."""
    rows = [(f'{i // 1000:05d}/{i:09d}.jpg', f'a dog and "{i}" cats\nby a tree')
            for i in range(count)]
    for name, caption in rows if kind == 'folder' else rows[:1]:
        image = folder / name
        image.parent.mkdir(exist_ok=True)
        image.touch()
        image.with_suffix('.txt').write_text(caption, encoding='utf-8')
    if kind == 'folder':
        return folder
    path = folder / f'rows.{kind}'
    with open(path, 'w', newline='', encoding='utf-8') as file:
        if kind == 'jsonl':
            file.writelines(json.dumps(dict(filename=name, caption=caption)) + '\n'
                            for name, caption in rows)
        else:
            csv.writer(file).writerows([('filename', 'caption'), *rows])
    return path


def main() -> None:
    """Measure and print."""
    args = make_parser().parse_args()
    print('| source | samples | begin, s | resume, s | read all shards, s |\n'
          '| --- | --- | --- | --- | --- |')
    for kind in args.kinds:
        for count in args.sizes:
            with TemporaryDirectory(dir=args.folder) as folder:
                (Path(folder) / 'data').mkdir()
                data, out = generate(kind, count, Path(folder) / 'data'), Path(folder) / 'out'
                times = [time.perf_counter()]
                for _ in range(2):
                    shards = find_shards(data, out)
                    times.append(time.perf_counter())
                assert sum(1 for shard in shards for _ in shard) == count
                times.append(time.perf_counter())
            print(f'| {kind} | {count:,} | ' + ' | '.join(
                f'{end - begin:.2f}' for begin, end in zip(times, times[1:])) + ' |', flush=True)


if __name__ == '__main__':
    main()
