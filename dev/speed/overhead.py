"""CPU time of an image with a long vocabulary beside the network and NMS: what Python costs.

Prompts, tokens, chunks, merging and names, with a nano model: none of it depends on the model.

Example:
    OMP_NUM_THREADS=1 python -m dev.speed.overhead
"""

import argparse

from .arguments import positive


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.speed.overhead', description=__doc__.splitlines()[0])
    parser.add_argument('--names', type=positive, default=1203)
    parser.add_argument('--runs', type=positive, default=5, help='of which the fastest counts')
    return parser


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    make_parser().parse_args()

from collections.abc import Sequence

from glip_mm.compat import apply_all

apply_all()
from .cases import Case
from .session import Session, Settings
from .stages import split


def measure(names: int, runs: int, max_per_img: int) -> tuple[int, float]:
    """Return the number of detections and the least milliseconds of some runs.

    Args:
        names: Number of names.
        runs: Number of runs.
        max_per_img: detections of all chunks together; -1: 300 of each chunk, as published.
    """
    session = Session('glip_t_b', Settings(nano=True, ours_only=True))
    case = Case('lvis1203', 1, (64, 64), names)
    session.set_bias(session.choose_bias(case))
    model, runner = session.ours, session.runner('ours', case)
    model.test_cfg = model.test_cfg.replace(max_per_img=300,
                                            chunk_merge=dict(max_per_img=max_per_img))
    runner.prepare()
    found = len(runner()[0]['labels'])
    parts = [(model, 'extract_feat', 'backbone'), (model, 'ground', 'fusion'),
             (model.bbox_head, 'predict', 'post-processing')]
    times = []
    for _ in range(runs):
        runner.prepare()
        times.append(split(runner, parts, lambda: None).cpu_seconds['rest'])
    return found, 1000 * min(times)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    args = make_parser().parse_args(argv)
    print('| names | detections | CPU ms |\n| --- | --- | --- |')
    for most in (300, -1):
        found, took = measure(args.names, args.runs, most)
        print(f'| {args.names} | {found} | {took:.1f} |', flush=True)


if __name__ == '__main__':
    main()
