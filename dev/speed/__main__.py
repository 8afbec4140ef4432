"""Benchmark of GLIP here against MMDetection's port: time and memory with the same weights.

The weights are random but seeded by name; MMDetection's ``GLIP`` with ``ATSSVLFusionHead`` gets the
same ones. First their detections (or losses) are compared; then both are timed in turn.
Memory is measured in a separate process for each side. MMDetection's port runs with transformers
4.46 to 5 (:mod:`dev.speed.port`); ``--ours-only`` does without it.

Example:
    python -m dev.speed
    python -m dev.speed --work coco80 names3 --model glip_t_b --out speed.json
    python -m dev.speed --device cuda --dtype bfloat16 --batch 1 8
    python -m dev.speed --ours-only --compare speed.json
"""

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .arguments import command_line, json_file, positive


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.speed', description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    dtypes = ['float32', 'bfloat16', 'float16']
    parser.add_argument('--work', nargs='+', default=['coco80', 'names3'],
                        choices=['coco80', 'names3', 'lvis1203', 'train'])
    parser.add_argument('--model', nargs='+', choices=['glip_t_a', 'glip_t_b', 'glip_l'],
                        default=['glip_t_b'])
    parser.add_argument('--batch', nargs='+', type=positive, default=[1])
    parser.add_argument('--size', nargs=2, type=positive, default=[800, 1333],
                        metavar=('HEIGHT', 'WIDTH'))
    parser.add_argument('--names', type=positive, default=1203, help='vocabulary of lvis1203')
    parser.add_argument('--tokens', type=positive, default=256, help='of the captions of train')
    parser.add_argument('--runs', type=positive, default=5, help='timed runs of each side')
    parser.add_argument('--warmup', type=int, default=1, help='runs of each side before them')
    parser.add_argument('--device', help='default: cuda if there is one, else cpu')
    parser.add_argument('--dtype', choices=dtypes, default='float32',
                        help='of autocast')
    parser.add_argument('--their-dtype', choices=dtypes, help="of autocast for MMDetection's "
                        'model; default: as ours (MMCV has no bfloat16 deformable convolution)')
    parser.add_argument('--threads', type=positive, help='of the CPU; default: as torch chooses')
    parser.add_argument('--ours-only', action='store_true', help="without MMDetection's model")
    parser.add_argument('--no-checkpointing', action='store_true',
                        help='training keeps what the fusion computed, in both models')
    parser.add_argument('--cold-text', action='store_true',
                        help='encode prompts anew in each run; MMDetection always does')
    parser.add_argument('--skip', nargs='+', choices=['stages', 'costs', 'memory'], default=[])
    parser.add_argument('--nano', action='store_true', help='a model of the size for tests')
    parser.add_argument('--out', type=json_file, help='JSON file, written after every case')
    parser.add_argument('--compare', help="JSON file of an earlier run, for our side's progress")
    parser.add_argument('--memory-of', help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.warmup < 0:
        parser.error(f'--warmup must be 0 or more, got {args.warmup}')
    if args.compare:
        try:
            args.compare = read_earlier(args.compare, args)
        except (OSError, ValueError) as error:
            parser.error(str(error))
    return args


def read_earlier(path: str, args: argparse.Namespace) -> dict[str, Any]:
    """Read the record of an earlier run that this one can be compared with.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is no record, or of other settings or cases.
    """
    try:
        record = json.loads(Path(path).read_text(encoding='utf-8'))
        before = dict(record['settings'], threads=record['machine']['threads'])
        works = {(each['model'], each['work'], each['batch']) for each in record['results']}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"--compare '{path}' holds no record of this tool ({error!r})") from error
    now = dict(dtype=args.dtype, nano=args.nano, checkpointing=not args.no_checkpointing,
               cold_text=args.cold_text)
    if args.threads:
        now['threads'] = args.threads
    for key, value in now.items():
        if before.get(key) != value:
            raise ValueError(f"--compare '{path}' was measured with {key} {before.get(key)}, this "
                             f'is {value}')
    if not works & {(m, w, b) for m in args.model for w in args.work for b in args.batch}:
        raise ValueError(f"--compare '{path}' has none of these cases: {sorted(works)}")
    return record


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    parse_args()

from glip_mm.compat import apply_all

apply_all()

from .port import mend_port

mend_port()
import torch
from mmengine.logging import MMLogger
from tqdm import tqdm

import glip_mm.models  # noqa: F401

from .benchmark_report import SCHEMA, against, machine, markdown, versions, write_json
from .cases import Case
from .ceilings import measure_ceilings
from .session import EXTRAS, Session, Settings, measure_memory
from .sides import check_port


def benchmark(args: argparse.Namespace) -> dict[str, Any]:
    """Measure everything that was requested.

    Args:
        args: Options from :func:`parse_args`.

    Returns:
        Record of the benchmark, which is written as JSON.

    Raises:
        ImportError: If MMDetection's port cannot be used.
    """
    if not args.ours_only:
        check_port()
    settings = Settings(args.runs, args.warmup, args.device, args.dtype, args.nano, args.ours_only,
                        not args.no_checkpointing, args.cold_text, tuple(args.skip),
                        args.their_dtype)
    cases: list[Case] = [Case(work, batch, tuple(args.size), args.names, args.tokens)
                         for work in args.work for batch in args.batch]
    record: dict[str, Any] = dict(
        schema=SCHEMA, command=command_line(),
        machine=machine(args.device), versions=versions(),
        settings=dict(settings._asdict(), skip=list(settings.skip)),
        ceilings=measure_ceilings(args.device, args.dtype, *((.05, 128) if args.nano else ())),
        results=[])
    sides = 1 if args.ours_only else 2
    ticks = sides * (args.runs + args.warmup + len(EXTRAS) - len(set(args.skip))) + sides - 1
    with tqdm(total=ticks * len(cases) * len(args.model), unit='run') as bar:
        for model in args.model:
            session = Session(model, settings)
            for case in cases:
                bar.set_description(f'{model} {case.work} batch {case.batch}')
                try:
                    result = session.measure(case, record['ceilings'], lambda _: bar.update())
                except RuntimeError as error:  # a Disagreement, or too little memory
                    result = dict(model=model, work=case.work, title=case.title(),
                                  batch=case.batch, size=list(case.size),
                                  error=f'{type(error).__name__}: {error}')
                    MMLogger.get_current_instance().error(result['error'])
                record['results'].append(result)
                if args.out:
                    write_json(args.out, record)
    return record


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; return 1 if anything failed or disagreed."""
    args = parse_args(argv)
    args.device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    warnings.filterwarnings('ignore')
    if args.memory_of:
        print(json.dumps(measure_memory(args.memory_of)))
        return 0
    if args.threads:
        torch.set_num_threads(args.threads)
    try:
        record = benchmark(args)
    except ImportError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    print(markdown(record))
    if args.compare:
        print('\n' + against(record, args.compare))
    return int(any('error' in r for r in record['results']))


if __name__ == '__main__':
    raise SystemExit(main())
