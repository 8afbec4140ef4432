"""Benchmark of opening and reading data sets of millions of samples.

Generates ODVG JSON lines without images, opens them as a training would and prints, for each size,
the time to build the index (once), the time to open it, the private memory of a process before
and after opening and reading, and the samples read per second; then the slopes, extrapolated
to 27 million samples.

Example:
    python -m dev.speed.dataset --rows 1000000 2500000 5000000
"""

import argparse
import json
import multiprocessing
import shutil
import tempfile
import time
from pathlib import Path

FULL = 27_000_000


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.speed.dataset', description=__doc__.splitlines()[0])
    parser.add_argument('--rows', type=int, nargs='+', default=[1_000_000, 2_500_000, 5_000_000])
    parser.add_argument('--workers', type=int, default=2, help='processes that read at once')
    parser.add_argument('--reads', type=int, default=20_000, help='random samples a process reads')
    parser.add_argument('--folder', help='where the generated files go (default: a temporary one); '
                        'about 0.3 GB a million rows')
    parser.add_argument('--out', help='JSON file for the results')
    return parser.parse_args()


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    parse_args()

import numpy as np
from tqdm import tqdm


def generate(path: Path, rows: int) -> None:
    """Write rows with a caption and three regions each."""
    boxes = [[10.0 * i, 20.0, 10.0 * i + 50, 90.0] for i in range(3)]
    caption = 'a brown dog beside a red ball on a green sofa in a quiet room'
    regions = [dict(bbox=box, phrase=caption[b:e], tokens_positive=[[b, e]])
               for box, (b, e) in zip(boxes, ((0, 11), (19, 29), (33, 45)))]
    tail = json.dumps(dict(height=480, width=640, grounding=dict(
        caption=caption, regions=regions)))[1:]
    with open(path, 'w', encoding='utf-8') as file:
        for i in tqdm(range(rows), desc=f'writing {rows:,} rows', mininterval=1):
            file.write(f'{{"filename": "{i:09d}.jpg", {tail}\n')


def private_memory() -> float:
    """Return the private memory of this process, in MiB.

    Pages of mapped files are not counted: they belong to the page cache, one copy for all
    processes, and are released when memory is short.
    """
    fields = dict(line.split(':') for line in
                  Path('/proc/self/smaps_rollup').read_text(encoding='utf-8').splitlines()[1:])
    return int(fields['Anonymous'].split()[0]) / 1024


def read(path: str, reads: int, results: multiprocessing.Queue) -> None:
    """Open the data set in a separate process and read random samples of a stream of it."""
    from glip_mm.datasets import (
        GroundingDataset,
        GroundingStream,
        StreamBatchSampler,
        StreamSampler,
    )
    start_memory = private_memory()
    start = time.perf_counter()
    dataset = GroundingDataset(path, filter_cfg=dict(filter_empty_gt=True))
    opened, open_memory = time.perf_counter() - start, private_memory()
    stream = GroundingStream([dataset])
    batches = iter(StreamBatchSampler(StreamSampler(stream), 8))
    first = next(batches)
    started = time.perf_counter() - start
    start, done = time.perf_counter(), 0
    while done < reads:
        for draw in first:
            stream.get_data_info(draw)
        done += len(first)
        first = next(batches)
    results.put(dict(open_seconds=opened, first_batch_seconds=started,
                     open_mib=open_memory - start_memory,
                     read_mib=private_memory() - start_memory,
                     samples_per_second=done / (time.perf_counter() - start)))


def measure(folder: Path, rows: int, workers: int, reads: int) -> dict:
    """Measure all figures of one size; the largest of several processes."""
    from glip_mm.datasets import GroundingDataset
    path = folder / f'{rows}.jsonl'
    generate(path, rows)
    start = time.perf_counter()
    length = len(GroundingDataset(str(path), filter_cfg=dict(filter_empty_gt=True)))
    if length != rows:
        raise RuntimeError(f'{path} has {length} samples, not {rows}')
    result = dict(rows=rows, build_seconds=time.perf_counter() - start,
                  data_mib=path.stat().st_size / 2**20,
                  index_mib=sum(p.stat().st_size for p in folder.glob(f'{rows}.jsonl[.-]*'))
                  / 2**20)
    context = multiprocessing.get_context('spawn')
    results = context.Queue()
    jobs = [context.Process(target=read, args=(str(path), reads, results)) for _ in range(workers)]
    for job in jobs:
        job.start()
    found = [results.get() for _ in jobs]
    for job in jobs:
        job.join()
    result.update({k: max(f[k] for f in found) for k in found[0]})
    result['samples_per_second'] = min(f['samples_per_second'] for f in found)
    for file in folder.glob(f'{rows}.jsonl*'):
        file.unlink()
    return result


def main() -> None:
    """Measure and print."""
    args = parse_args()
    folder = Path(args.folder or tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    try:
        results = [measure(folder, rows, args.workers, args.reads) for rows in args.rows]
    finally:
        if not args.folder:
            shutil.rmtree(folder, ignore_errors=True)
    keys = list(results[0])
    print(' '.join(f'{key:>18}' for key in keys))
    for result in results:
        print(' '.join(f'{result[key]:>18,.4g}' if key != 'rows' else f'{result[key]:>18,}'
                       for key in keys))
    if len(results) > 1:
        for key in ('build_seconds', 'index_mib', 'open_seconds',
                    'first_batch_seconds', 'open_mib', 'read_mib'):
            slope, start = np.polyfit([r['rows'] for r in results], [r[key] for r in results], 1)
            print(f'{key}: {slope * 1e6:+.4g} a million rows; {FULL:,} rows: '
                  f'{start + slope * FULL:.4g}')
    if args.out:
        Path(args.out).write_text(json.dumps(results, indent=2) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
