"""Everything that a GPU is to tell, in eight minutes, without a network or a compiler.

Stages with a budget each: what the card can do, tests that need it, prediction, training, 1,203
names, batches (beside MMDetection's port, with memory and the share of the roofline), a trace, what
fast paths gain, and the Triton kernels beside the plain formula. A JSON file and a Markdown file
are written after each measurement, so an early end loses nothing, and a second run with the same
--out measures what is left. Called by dev/measure_gpu.sh.

Example:
    bash dev/measure_gpu.sh --out gpu.json
    python -m dev.speed.card --device cpu --tiny       # whether all of it works, in seconds
"""

import argparse
from collections.abc import Sequence

from .arguments import finite, json_file

NAMES = ('ceilings', 'tests', 'prediction', 'training', 'lvis', 'batches', 'trace', 'paths',
         'without_fusion', 'kernels')
#: The stages' budgets are parts of this.
MINUTES = 8


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.speed.card', description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--device', choices=['cuda', 'cpu'], default='cuda')
    parser.add_argument('--dtype', choices=['float32', 'bfloat16', 'float16'], default='bfloat16',
                        help='of autocast, on both sides (default: bfloat16)')
    parser.add_argument('--stages', nargs='+', choices=NAMES, default=NAMES)
    parser.add_argument('--minutes', type=finite, default=MINUTES,
                        help=f'of the whole run, shared among the stages (default: {MINUTES}); '
                        'measure_gpu.sh ends it after GLIP_MM_GPU_SECONDS, 490')
    parser.add_argument('--tiny', action='store_true', help='models and images of the tests')
    parser.add_argument('--out', default='gpu.json', type=json_file,
                        help='JSON file, continued if it is there; Markdown is written beside it')
    parser.add_argument('--since', type=float, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.minutes <= 0:
        parser.error(f'--minutes must be positive, got {args.minutes}')
    return args


import os
import time

START = time.monotonic()

if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    if parse_args().device == 'cpu':
        os.environ.setdefault('TRITON_INTERPRET', '1')  # Triton reads it when it is imported

import contextlib
import signal
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from glip_mm.compat import apply_all

apply_all()
from .port import mend_port

mend_port()
import torch

import glip_mm.models  # noqa: F401

from .benchmark_report import cost_table, machine, table, time_table, versions
from .card_stages import STAGES, Bench
from .ledger import Ledger, Record
from .paths import HEADER as PATHS_HEADER
from .paths import rows as path_rows


class OutOfTime(BaseException):
    """A measurement took longer than was left; nothing that catches errors is to catch it."""


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise :class:`OutOfTime` in the context when the seconds are over."""
    def stop(number: int, frame: Any) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def measure(args: argparse.Namespace, ledger: Ledger, start: float) -> None:
    """Measure what the ledger does not have yet, stage by stage.

    A stage may take its budget and what earlier ones left of theirs. Whatever a measurement raises
    becomes its row, and the next one follows. After one that was interrupted, or that left the
    device unusable, the program starts itself anew: PyTorch may be in any state.

    Args:
        args: Options from :func:`parse_args`.
        ledger: Where rows are and go, by ``stage: title``.
        start: When the run began, on the monotonic clock.
    """
    bench = Bench(args.device, args.dtype, args.tiny)
    end, limit = start + 60 * args.minutes, time.monotonic()

    def is_left(key: str) -> bool:
        return not ledger.has(key) and ledger.record['rows'].get(key, {}).get('run') != start

    for name in args.stages:
        left = {f'{name}: {title}': work
                for title, work in STAGES[name].measurements(bench).items()
                if is_left(f'{name}: {title}')}
        limit = min(limit + STAGES[name].budget * args.minutes / MINUTES * bool(left), end)
        for key, work in left.items():
            begun, usable = time.monotonic(), True
            print(f'{begun - start:5.0f} s  {key}', file=sys.stderr, flush=True)
            try:
                with at_most(limit - begun):
                    row = work()
            except OutOfTime:
                usable = False
                row = dict(error=f'not measured: {limit - begun:.0f} s were left of the budget')
            except Exception as error:
                row = dict(error=f'{type(error).__name__}: {error}'[:2000])
                usable = _is_usable(args.device)
            ledger.put(key, dict(row, took=time.monotonic() - begun, run=start))
            if not usable:
                _start_anew(start)


def _is_usable(device: str) -> bool:
    """Free what a failed measurement took; return False if the device answers nothing more."""
    try:
        if device == 'cuda':
            torch.cuda.synchronize()
            torch.cuda.empty_cache()
    except RuntimeError:
        return False
    return True


def _start_anew(start: float) -> None:
    words = sys.argv[1:]
    if '--since' not in words:
        words += ['--since', repr(start)]
    os.execv(sys.executable, [sys.executable, '-m', 'dev.speed.card', *words])


def render(record: Record) -> str:
    """Format all measurements for people."""
    about, rows = record['about'], record['rows']
    where, settings = about['machine'], about['settings']
    lines = [f"{where.get('gpu', where['processor'])}; {settings['dtype']} on both sides; Python "
             f"{where['python']}, " + ', '.join(f'{k} {v}' for k, v in about['versions'].items())]
    if settings['tiny']:
        lines += ['', 'Tiny models: these figures show that the script works, and nothing else.']
    good = {key: row for key, row in rows.items() if 'error' not in row}
    both = [row for row in good.values() if 'sides' in row]
    notes = sorted({row['alone'] for row in both if 'alone' in row}
                   | {f"MMDetection's deformable convolution: {row['their_deform_conv']}"
                      for row in both if 'their_deform_conv' in row})
    for text in (*notes, time_table(both) if both else '', cost_table(both), _plain_rows(good),
                 _path_table(good), _traces(good), _kernel_table(good)):
        lines += ['', text] if text else []
    failed = [f"* {key}: {row['error'].splitlines()[0]}"
              for key, row in rows.items() if 'error' in row]
    return '\n'.join([*lines, *(['', 'Without a result:', '', *failed] if failed else [])])


def _of(rows: dict[str, Record], stage: str) -> dict[str, Record]:
    return {key.removeprefix(f'{stage}: '): row for key, row in rows.items()
            if key.startswith(f'{stage}: ')}


def _plain_rows(rows: dict[str, Record]) -> str:
    lines = [f"* ceilings: {row['flops'] / 1e12:.1f} TFLOP/s, {row['bytes'] / 1e9:,.0f} GB/s"
             for row in _of(rows, 'ceilings').values()]
    lines += [f"* tests {title}: {row['tests']}, of which {row['skipped']} skipped and "
              f"{row['failures'] + row['errors']} failed {row['failed'] or ''}".rstrip()
              for title, row in _of(rows, 'tests').items()]
    return '\n'.join(lines)


def _path_table(rows: dict[str, Record]) -> str:
    found = [line for title, row in _of(rows, 'paths').items() for line in path_rows(title, row)]
    return table(PATHS_HEADER, found) if found else ''


def _traces(rows: dict[str, Record]) -> str:
    parts = []
    for title, row in _of(rows, 'trace').items():
        parts.append(f"{title}: {row['wall']:.4f} s, of which {row['busy']:.4f} s in "
                     f"{row['calls']:,} kernels or operations\n\n" + table(
                         ('most time', 'seconds', 'calls'),
                         [[f"`{e['name']}`", f"{e['seconds']:.5f}", str(e['calls'])]
                          for e in row['most']]))
    return '\n\n'.join(parts)


def _kernel_table(rows: dict[str, Record]) -> str:
    lines = []
    for title, row in _of(rows, 'kernels').items():
        for way in ('forward', 'backward'):
            vision = row.get('torchvision', {}).get(way)
            lines.append([title, way, f"{1e3 * row['formula'][way]:.3f}",
                          f'{1e3 * vision:.3f}' if vision else '',
                          f"{1e3 * row['triton'][way]:.3f}", row['best'][way],
                          f"{max(row['differences'].values()):.1e}"])
    return table(('deformable convolution', 'pass', 'formula, ms', 'torchvision, ms', 'Triton, ms',
                  'best tiles', 'largest difference'), lines) if lines else ''


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; return 1 if anything is left without a result, 2 if nothing can start."""
    args = parse_args(argv)
    warnings.filterwarnings('ignore')
    if args.device == 'cuda' and not torch.cuda.is_available():
        print('error: PyTorch sees no CUDA device; --device cpu --tiny tries the script without '
              'one', file=sys.stderr)
        return 2
    about = dict(machine=machine(args.device), versions=versions(),
                 settings=dict(device=args.device, dtype=args.dtype, tiny=args.tiny))
    try:
        ledger = Ledger(args.out, about, render)
    except ValueError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    measure(args, ledger, args.since or START)
    print(render(ledger.record))
    return int(any('error' in row for row in ledger.record['rows'].values()))


if __name__ == '__main__':
    raise SystemExit(main())
