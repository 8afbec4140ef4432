"""Fine-tune a model on your own data: one command from a COCO-format folder to a report.

Writes the config that it runs, trains with tools/train.py, chooses the best checkpoint on the val
split, tests it once with tools/test.py, and ends with a table and a page. A run that was
interrupted continues when the same command is given again; finished parts are not repeated.

Example:
    python tools/finetune.py --data data/raccoon --checkpoint glip_swin-t_o365-goldg \
        --shots 5 --seeds 3 30 300
    python tools/finetune.py --data odinw:Aquarium --checkpoint glip_tiny.pth \
        --config configs/glip/glip_swin-t_o365-goldg.py --tuning linear
"""

import argparse
import json
import shlex
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from mmengine.config import Config

from glip_mm_cli.options import parse_early
from glip_mm_cli.training_options import add_training_options

TOOLS = Path(__file__).resolve().parent
#: Published seeds of the leaderboard's few-shot files.
SEEDS = (3, 30, 300)


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        usage='%(prog)s --data FOLDER|odinw:NAME --checkpoint FILE|NAME [options]',
        allow_abbrev=False)
    parser.add_argument('--data', required=True, metavar='FOLDER|odinw:NAME',
                        help='a folder with train, val and test splits in COCO format, or a data '
                        'set of ODinW')
    add_training_options(parser)
    parser.add_argument('--train-file', metavar='FILE.json', help='a prepared few-shot annotation '
                        'file in place of a subset of the training split')
    parser.add_argument('--prompts', metavar='FILE.json', help='how classes stand in the prompt: '
                        '{"CLASS": {"phrase", "prefix", "suffix", "synonyms": [...]}}')
    parser.add_argument('--val-fraction', type=float, metavar='SHARE', help='make this share of '
                        'the training images the val split, where there is none')
    parser.add_argument('--retention', nargs='+', default=[], metavar='[NAME=]CONFIG',
                        help='test these configs, too, before and after: what tuning costs on the '
                        'original vocabulary')
    parser.add_argument('--no-report', action='store_true', help='leave out the HTML page')
    return parser


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    parse_early(make_parser())

from glip_mm.apis.repeated_tests import Task, read_task
from glip_mm.atomic_files import write_atomically
from glip_mm.finetuning import (
    RunSettings,
    Splits,
    aggregate,
    finetune_config,
    open_splits,
    read_class_prompts,
    results_table,
    write_config,
)
from glip_mm.finetuning.data import with_shots
from glip_mm.finetuning.odinw import prepared_file
from glip_mm.finetuning.open_splits import ODINW, data_name
from glip_mm.finetuning.replay import read_replay
from glip_mm.finetuning.results import read_results
from glip_mm.finetuning.retention import measure_retention, tuned_task, write_retention
from glip_mm.finetuning.start import check_start, find_start
from glip_mm.visualization.report import make_report


def find_splits(args: argparse.Namespace, seed: int, out: Path) -> Splits:
    """Find the splits of a run."""
    train_file = args.train_file
    splits = open_splits(args.data, out, args.val_fraction, args.sets, args.odinw_root,
                         args.test_split)
    if args.data.startswith(ODINW) and args.shots and not train_file:
        train_file = prepared_file(splits.train, args.shots, seed)
    return with_shots(splits, args.shots or None, seed, out, train_file)


def run_tool(name: str, *options: object) -> None:
    """Run a tool as a user would; exit with its status if it fails."""
    command = [sys.executable, str(TOOLS / name), *map(str, options)]
    print('$ ' + shlex.join(command), flush=True)
    try:
        status = subprocess.run(command).returncode
    except KeyboardInterrupt:
        sys.exit('interrupted: the same command goes on from here')
    if status:
        sys.exit(f'error: tools/{name} failed with status {status}; its messages are above')


def best_checkpoint(folder: Path) -> Path:
    """Find the checkpoint of a training that is best on val."""
    found = sorted(folder.glob('best_*.pth'), key=lambda p: p.stat().st_mtime_ns)
    if not found:
        sys.exit(f"error: '{folder}' holds no best_*.pth: no evaluation gave a number; the "
                 "log there says what was evaluated")
    return found[-1]


def run_seed(args: argparse.Namespace, folder: Path, seed: int, config: Path) -> dict[str, float]:
    """Train and test a model once.

    Args:
        args: Parsed options.
        folder: Folder of this seed.
        seed: Random seed of subset and training.
        config: Path of the written config.

    Returns:
        Test metrics in 0..1.
    """
    table = folder / 'test' / 'suite.csv'
    if not (folder / 'test' / 'metrics.json').is_file():
        checkpoint = args.checkpoint
        if args.shots != 0:
            if not (folder / 'trained').is_file():
                run_tool('train.py', config, '--work-dir', folder / 'train', '--resume')
                (folder / 'trained').touch()
            checkpoint = best_checkpoint(folder / 'train')
        run_tool('test.py', config, checkpoint, '--work-dir', folder / 'test', '--cfg-options',
                 f'test_evaluator.out_file={table}')
    return read_results(table)


def prepare(args: argparse.Namespace, work_dir: Path, seeds: list[int], kept: list[Task]
            ) -> tuple[dict[int, Path], Splits]:
    """Write the configs of all seeds; errors are found before the first training.

    Args:
        args: Parsed options.
        work_dir: Work directory of all seeds.
        seeds: Random seeds of the runs.
        kept: List that gains the tests of ``--retention``.

    Returns:
        Seed -> config, and the splits of the last.

    Raises:
        ImportError, KeyError, OSError, TypeError, ValueError: If a setting or file is invalid.
    """
    file, args.checkpoint = find_start(args.checkpoint, args.config, work_dir)
    base = Config.fromfile(file)
    settings = RunSettings(args.tuning, args.shots, args.epochs, args.batch_size, args.workers,
                           seeds[0], args.lr, args.copies, args.step_patience, args.stop_patience)
    command = shlex.join(['python', 'tools/finetune.py', *sys.argv[1:]])
    kept += [read_task(text) for text in args.retention]
    replay = read_replay(args.replay, args.replay_share) if args.replay else None
    configs = {}
    for seed in seeds:
        folder = work_dir / f'seed{seed}'
        splits = find_splits(args, seed, folder / 'data')
        prompts = read_class_prompts(args.prompts, splits.classes)
        content = finetune_config(base, splits, replace(settings, seed=seed), args.checkpoint,
                                  prompts, replay)
        if args.shots == 0:
            # without training there is no tuning mode
            content.get('model', {}).pop('tuning', None)
        configs[seed] = write_config(folder / 'config.py', file, content, command,
                                     args.cfg_options)
    if not all((config.parent / 'test/metrics.json').is_file() for config in configs.values()):
        check_start(configs[seeds[0]], args.checkpoint)
    return configs, splits


def main() -> None:
    """Run the fine-tuning."""
    parser = make_parser()
    args = parser.parse_args()
    if args.train_file and not args.shots:
        parser.error('--train-file needs --shots: how many the file has of each class')
    if args.shots == 0 and (args.retention or args.replay):
        parser.error('--shots 0 trains nothing: leave --retention and --replay out')
    seeds = args.seeds or [SEEDS[0]]
    if len(set(seeds)) < len(seeds) or max(seeds) >= 1 << 32:
        parser.error(f'--seeds {seeds}: give each once, and none of 2^32 or more')
    seeds = seeds[:1] if args.shots == 0 else seeds
    shots = 'all' if args.shots is None else args.shots
    work_dir = Path(args.work_dir or
                    f'work_dirs/finetune/{data_name(args.data)}/{args.tuning}_{shots}')
    # child processes must end with this one
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    kept: list[Task] = []
    try:
        configs, splits = prepare(args, work_dir, seeds, kept)
    except (ImportError, KeyError, OSError, TypeError, ValueError) as error:
        ours = len(error.args) == 1 and isinstance(error.args[0], str)
        parser.exit(2, f'{parser.prog}: error: {error.args[0] if ours else error}\n')
    print(f"{splits.name}: classes {list(splits.classes)}, tuning '{args.tuning}', shots {shots}",
          flush=True)
    for doubt in splits.doubts:
        print(f'WARNING: {doubt}', flush=True)
    runs = {f'seed {seed}': run_seed(args, config.parent, seed, config)
            for seed, config in configs.items()}
    finish(args, work_dir, splits, runs, list(configs.values()), kept)


def finish(args: argparse.Namespace, work_dir: Path, splits: Splits,
           runs: dict[str, dict[str, float]], configs: list[Path], kept: list[Task]) -> None:
    """Write results.md, results.json, the retention table and the page."""
    table, name = results_table(runs), splits.name
    doubts = [*splits.doubts]
    if all(run['AP'] == 0 for run in runs.values()):
        doubts.append("nothing was found: see 'Training that learns nothing' in "
                      'docs/troubleshooting.md, and what the log said at the first evaluation')
    table += ''.join(f'\n\nWarning: {doubt}.' for doubt in doubts)
    summary = dict(data=name, doubts=doubts, tuning=args.tuning, shots=args.shots, runs=runs,
                   mean={k: m for k, (m, _) in aggregate(list(runs.values())).items()},
                   deviation={k: d for k, (_, d) in aggregate(list(runs.values())).items()})
    if kept:
        tuned = {run: (str(best_checkpoint(config.parent / 'train')), runs[run]['AP'])
                 for run, config in zip(runs, configs)}
        values = measure_retention(tuned_task(configs[0], name), kept, args.tuning,
                                   args.checkpoint, tuned, work_dir / 'retention')
        summary['retention'] = values
        table += f'\n\nTuned AP, and AP on the original vocabulary:\n\n' \
                 f'{write_retention(values, work_dir)}'
    write_atomically(work_dir / 'results.md', (table + '\n').encode())
    write_atomically(work_dir / 'results.json', json.dumps(_finite(summary), indent=1).encode())
    print(f'\n{table}\n')
    print(f"results: '{work_dir / 'results.md'}' and results.json")
    if not args.no_report:
        tests = [c.parent / 'test' for c in configs]
        names = list(runs)
        for model in sorted(p for p in (work_dir / 'retention').glob('*') if kept):
            tests += [model / task.name for task in kept]
            names += [f"{model.name.replace('_', ' ')}: {task.name}" for task in kept]
        page = make_report([str(t) for t in tests], work_dir / 'report', names)
        print(f"report: '{page}'")


def _finite(value: object) -> object:
    # JSON has no nan
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    return None if isinstance(value, float) and value != value else value


if __name__ == '__main__':
    main()
