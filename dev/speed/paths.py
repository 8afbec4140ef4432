"""What each fast path gains: the same work with all of them, and without one at a time.

Runs alternate (all, without the first, without the second, ..., all, ...); a gain is the median
of the ratios of neighbouring runs, by CPU seconds, which other work on the machine disturbs least.
Detections must be those of the fast paths, or nothing is told. The plain form of deform_conv is
MMCV's compiled operator; where there is none, the fast path stands in for it, and is left out.

Example:
    OMP_NUM_THREADS=2 python -m dev.speed.paths --work coco80 train --runs 3 --out paths.json
"""

import argparse
from collections.abc import Sequence

from .arguments import json_file, positive


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.speed.paths', description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--work', nargs='+', default=['coco80'],
                        choices=['coco80', 'names3', 'lvis1203', 'train'])
    parser.add_argument('--model', choices=['glip_t_a', 'glip_t_b', 'glip_l'], default='glip_t_b')
    parser.add_argument('--size', nargs=2, type=positive, default=[800, 1333],
                        metavar=('HEIGHT', 'WIDTH'))
    parser.add_argument('--names', type=positive, default=80, help='vocabulary of lvis1203')
    parser.add_argument('--runs', type=positive, default=3, help='of each variant (default: 3)')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--dtype', choices=['float32', 'bfloat16', 'float16'], default='float32')
    parser.add_argument('--nano', action='store_true', help='a model of the size for tests')
    parser.add_argument('--out', type=json_file, default='paths.json',
                        help='JSON file, continued if it is there')
    return parser.parse_args(argv)


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    parse_args()

import contextlib
import sys
import warnings
from typing import Any

from glip_mm.compat import apply_all, has_mmcv_ops

apply_all()
import glip_mm.models  # noqa: F401
from glip_mm.ops.fast_paths import FAST_PATHS, plain

from .agreement import Disagreement, compare_detections, loosest
from .benchmark_report import machine, table, versions
from .cases import Case
from .ledger import Ledger, Record
from .session import Session, Settings
from .timing import ratios, seconds_of


def comparable() -> tuple[str, ...]:
    """Return the fast paths that have a plain form in this environment."""
    return tuple(name for name in FAST_PATHS if name != 'deform_conv' or has_mmcv_ops())


def gains(session: Session, case: Case, runs: int, names: Sequence[str]) -> dict[str, Any]:
    """Measure how many times as fast each fast path makes a case.

    Args:
        session: Session with our model.
        case: Case to run.
        runs: Number of timed runs of each variant, after one that is not timed.
        names: Fast paths to leave out, one at a time.

    Returns:
        ``seconds`` and ``cpu_seconds`` of each run with all fast paths, and for each path what
        both became without it and the ``ratio`` of CPU seconds (seconds on a GPU).

    Raises:
        Disagreement: If the detections without a path are others, or there are none.
    """
    session.set_bias(session.choose_bias(case))
    runner = session.runner('ours', case)
    took: dict[str, list] = {name: [] for name in ('', *names)}
    wanted: Any = None
    for run in range(-1, runs):
        for name, times in took.items():
            with plain(name) if name else contextlib.nullcontext():
                if run >= 0:
                    times.append(seconds_of(runner))
                    continue
                runner.prepare()
                found = runner()
            if case.training:
                continue
            wanted = wanted or found
            tolerances = loosest(session.settings.dtype)
            check = compare_detections(found, wanted, tolerances)
            if not check['partners'] or check['unmatched'] > tolerances.unmatched:
                raise Disagreement(f"without the fast path '{name}' the detections are others, "
                                   f'or there are none: {check}')
    runner.forget()
    clock = 0 if session.settings.device.startswith('cuda') else 1

    def result(name: str) -> dict[str, Any]:
        return dict(seconds=[t.wall for t in took[name]], cpu_seconds=[t.cpu for t in took[name]])

    return dict(result(''), paths={
        name: dict(result(name), ratio=ratios([t[clock] for t in took['']],
                                              [t[clock] for t in took[name]]))
        for name in names})


def rows(title: str, found: dict[str, Any]) -> list[list[str]]:
    """Format the gains of a case as rows of a table."""
    return [[title, f'`{name}`', '{median:.2f} ({low:.2f} to {high:.2f})'.format(**path['ratio'])]
            for name, path in found['paths'].items()]


HEADER = ('work', 'fast path', 'times as fast with it')


def render(record: Record) -> str:
    """Format all gains for a page."""
    about = record['about']
    lines = [row for title, found in record['rows'].items() for row in rows(title, found)]
    return (f"{about['machine']['processor']}, {about['machine']['threads']} threads, "
            f"{about['settings']['dtype']}; CPU seconds.\n\n{table(HEADER, lines)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; return 1 if detections differ, 2 if the file is another's."""
    args = parse_args(argv)
    warnings.filterwarnings('ignore')
    about = dict(machine=machine(args.device), versions=versions(), settings=dict(
        model=args.model, dtype=args.dtype, nano=args.nano, runs=args.runs))
    try:
        ledger = Ledger(args.out, about, render)
        cases = [Case(work, 1, tuple(args.size), args.names) for work in args.work]
        left = [case for case in cases if not ledger.has(case.title())]
        if left:
            session = Session(args.model, Settings(device=args.device, dtype=args.dtype,
                                                   nano=args.nano, ours_only=True))
        for case in left:
            ledger.put(case.title(), gains(session, case, args.runs, comparable()))
    except (ValueError, Disagreement) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1 if isinstance(error, Disagreement) else 2
    print(render(ledger.record))
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
