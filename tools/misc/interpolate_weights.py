"""Interpolate between a base checkpoint and the tuned one, and measure gain and forgetting.

Writes alpha_A.pth for every alpha; with --config also interpolation.json, .csv and .png, the
metric of each config over alpha. The same command resumes an interrupted run.

Example:
    python tools/misc/interpolate_weights.py work_dirs/quickstart/epoch_4.pth \
        work_dirs/glip_nano_raccoon/epoch_24.pth --alphas 0:1:0.1 --out work_dirs/between \
        --config configs/real/glip_nano_raccoon.py configs/quickstart/glip_nano_grounding-world.py
"""

import argparse
import json
from pathlib import Path
from typing import Any

from glip_mm_cli.ending import end_clearly
from glip_mm_cli.options import add_cfg_options, check_checkpoint
from glip_mm_cli.outputs import check_apart


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('base', help='checkpoint before tuning')
    parser.add_argument('tuned', help='checkpoint after tuning')
    parser.add_argument('--alphas', default='0:1:0.1', help='FIRST:LAST:STEP, or numbers '
                        'separated by commas; 0 is the base (default: 0:1:0.1)')
    parser.add_argument('--out', required=True, help='folder of checkpoints and results')
    parser.add_argument('--config', nargs='+', metavar='[NAME=]CONFIG', default=[],
                        help='test every alpha with these configs: the tuned task first, then '
                        'the original vocabulary')
    parser.add_argument('--metric', nargs='+', metavar='KEY', default=[],
                        help="metric of each config (default: its first '.../bbox_mAP')")
    parser.add_argument('--keep', choices=['all', 'none'], default='all',
                        help='whether checkpoints stay once they are tested (default: all)')
    add_cfg_options(parser, 'settings that replace those of every config')
    return parser


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    end_clearly()
    make_parser().parse_args()

from tqdm import tqdm

from glip_mm.apis.repeated_tests import identity_of, read_task, test_once
from glip_mm.atomic_files import write_atomically
from glip_mm.checkpoints.convert import normalise_state_dict
from glip_mm.checkpoints.interpolation import (
    check_same_model,
    interpolate_weights,
    parse_alphas,
)
from glip_mm.checkpoints.reading import read_checkpoint, write_checkpoint
from glip_mm.csv_text import csv_text
from glip_mm.datasets.data_error import read_json
from glip_mm.file_lock import writing_into
from glip_mm.visualization.retention_chart import draw_alpha_curves


def read_weights(path: str) -> dict[str, Any]:
    """Read the weights of a checkpoint.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds no weights.
    """
    checkpoint = read_checkpoint(path)
    try:
        return normalise_state_dict(checkpoint)[0]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"checkpoint '{path}': {error.args[0]}") from error


def main() -> None:
    """Interpolate and test."""
    parser = make_parser()
    args = parser.parse_args()
    for option in ('base', 'tuned'):
        check_checkpoint(parser, getattr(args, option), option)
    if args.metric and len(args.metric) != len(args.config):
        parser.error(f'--metric has {len(args.metric)} names for {len(args.config)} configs')
    if args.keep == 'none' and not args.config:
        parser.error('--keep none without --config would leave nothing')
    with writing_into(args.out):
        interpolate(parser, args)


def interpolate(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Write and test a model for each alpha."""
    try:
        alphas = parse_alphas(args.alphas)
        tasks = [read_task(text, metric, args.cfg_options) for text, metric in zip(
            args.config, args.metric or [None] * len(args.config))]
        for alpha in alphas:
            check_apart(Path(args.out, f'alpha_{alpha:g}.pth'), args.base, args.tuned)
        base, tuned = map(read_weights, (args.base, args.tuned))
        check_same_model(base, tuned)
    except (ValueError, KeyError, FileNotFoundError) as error:
        parser.error(str(error.args[0]))
    if len({task.name for task in tasks}) < len(tasks):
        parser.error(f'several configs are called {[t.name for t in tasks]}: write NAME=CONFIG')
    out = Path(args.out)
    source = f'{identity_of(args.base)} {identity_of(args.tuned)}'
    values: dict[str, list[float]] = {task.name: [] for task in tasks}
    for alpha in tqdm(alphas, 'alpha', unit='model'):
        path = out / f'alpha_{alpha:g}.pth'
        note = out / f'alpha_{alpha:g}.json'
        current = (note.is_file()
                   and read_json(note).get('source') == source)
        if not (current and (path.is_file() or args.keep == 'none' and _tested(out, alpha, tasks))):
            write_checkpoint(dict(state_dict=interpolate_weights(base, tuned, alpha),
                                  meta=dict(alpha=alpha)), path)
            write_atomically(note, json.dumps(dict(alpha=alpha, source=source)).encode())
        for task in tasks:
            metrics = test_once(task.config, str(path), out / f'alpha_{alpha:g}' / task.name,
                                identity=f'{alpha} {source}')
            values[task.name].append(task.value(metrics))
        if args.keep == 'none':
            path.unlink(missing_ok=True)
    if tasks:
        write_results(out, alphas, values)


def _tested(out: Path, alpha: float, tasks: list) -> bool:
    return all((out / f'alpha_{alpha:g}' / t.name / 'test_once.json').is_file() for t in tasks)


def write_results(out: Path, alphas: list[float], values: dict[str, list[float]]) -> None:
    """Write interpolation.json, .csv and .png, and show the table."""
    rows = ([f'{alpha:g}', *row] for alpha, *row in zip(alphas, *values.values()))
    text = csv_text([['alpha', *values], *rows])
    write_atomically(out / 'interpolation.csv', text.encode())
    write_atomically(out / 'interpolation.json',
                     json.dumps(dict(alphas=alphas, values=values), indent=1).encode())
    picture = draw_alpha_curves(alphas, values, out / 'interpolation.png')
    print(text.replace(',', '\t'), f"\npicture: '{picture}'", sep='')


if __name__ == '__main__':
    main()
