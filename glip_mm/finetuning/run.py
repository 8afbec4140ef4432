"""Fine-tuning as one job: configs, training, choice of a checkpoint, test, table and page."""

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mmengine.logging import MMLogger

from glip_mm.apis.repeated_tests import Task, read_task
from glip_mm.atomic_files import write_atomically
from glip_mm.datasets.coco_file import read_coco
from glip_mm.datasets.data_error import read_json
from glip_mm.engine.hooks.replaced_samples_hook import ReplacedSamplesHook
from glip_mm.visualization.report import make_report
from glip_mm_cli.ending import SPEAKER
from glip_mm_cli.places import shared_root
from glip_mm_cli.training_folder import is_complete

from .class_prompts import read_class_prompts
from .config import RunSettings, finetune_config, write_config
from .data import with_shots
from .few_shot import images_with_boxes
from .odinw import prepared_file
from .open_splits import ODINW, data_name, open_splits
from .replay import read_replay
from .results import aggregate, read_results, results_table
from .retention import measure_retention, tuned_task, write_retention
from .splits import Splits
from .start import check_start, find_start, read_base
from .val_shots import KINDS, with_val_shots


def find_splits(args: argparse.Namespace, seed: int, out: Path) -> tuple[Splits, str]:
    """Find the splits of a run, and whether few or all val images choose its checkpoint."""
    train_file, published = args.train_file, args.data.startswith(ODINW)
    splits = open_splits(args.data, out, args.val_fraction, args.sets, args.odinw_root,
                         args.test_split)
    if published and args.shots and not train_file:
        train_file = prepared_file(splits.train, args.shots, seed)
    splits = with_shots(splits, args.shots or None, seed, out, train_file)
    return with_val_shots(splits, args.val, args.shots, seed, out, published)


def empty_images(splits: Splits, kept: bool) -> dict[str, int]:
    """Count the training images without boxes, as ``empty_images_trained`` or ``..._left_out``."""
    content = read_coco(str(splits.train.ann_file))
    count = len(content['images']) - len(images_with_boxes(content))
    return {f"empty_images_{'trained' if kept else 'left_out'}": count}


def replaced_samples(folder: Path) -> dict[str, int]:
    """Return how often a sample of a training could not be read, by cause."""
    path = folder / ReplacedSamplesHook.file_name
    return read_json(path) if path.is_file() else {}


def call_tool(name: str, *options: object) -> int:
    """Run a tool as a user would, and return its exit status; an interrupt ends this program."""
    command = [sys.executable, str((shared_root() or Path()) / 'tools' / name), *map(str, options)]
    MMLogger.get_current_instance().info('$ ' + shlex.join(command))
    os.environ[SPEAKER] = str(os.getpid())
    try:
        return subprocess.run(command).returncode
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt('the same command goes on from here') from error


def run_tool(name: str, *options: object) -> None:
    """Run a tool as a user would; end this program if it fails."""
    status = call_tool(name, *options)
    if status:
        sys.exit(f'error: tools/{name} failed with status {status}; its messages are above')


def best_checkpoint(folder: Path) -> Path:
    """Find the checkpoint of a training that is best on val."""
    found = newest_best(folder)
    if found is None:
        sys.exit(f"error: '{folder}' holds no best_*.pth: no evaluation gave a number; the "
                 "log there says what was evaluated")
    return found


def newest_best(folder: Path) -> Path | None:
    """Find the newest complete checkpoint that was the best on val; None if there is none."""
    found = sorted(folder.glob('best_*.pth'), key=lambda p: p.stat().st_mtime_ns)
    return next(filter(is_complete, reversed(found)), None)


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
    if not (table.is_file() and (folder / 'test' / 'metrics.json').is_file()):
        checkpoint = args.checkpoint
        if args.shots != 0:
            # a training that ended without a best checkpoint validates once more
            if not (folder / 'trained').is_file() or newest_best(folder / 'train') is None:
                run_tool('train.py', config, '--work-dir', folder / 'train', '--resume')
                (folder / 'trained').touch()
            checkpoint = best_checkpoint(folder / 'train')
        run_tool('test.py', config, checkpoint, '--work-dir', folder / 'test', '--cfg-options',
                 f"test_evaluator.out_file='{table}'")
    return read_results(table)


def prepare(args: argparse.Namespace, work_dir: Path, seeds: Sequence[int], kept: list[Task],
            command: str) -> tuple[dict[int, Path], Splits]:
    """Write the configs of all seeds; errors are found before the first training.

    Args:
        args: Parsed options.
        work_dir: Work directory of all seeds.
        seeds: Random seeds of the runs.
        kept: List that gains the tests of ``--retention``.
        command: Command line that is written into the configs.

    Returns:
        Seed -> config, and the splits of the last.

    Raises:
        ImportError, KeyError, OSError, TypeError, ValueError: If a setting or file is invalid.
    """
    file, args.checkpoint = find_start(args.checkpoint, args.config, work_dir)
    base = read_base(file)
    settings = RunSettings(args.tuning, args.shots, args.epochs, args.batch_size, args.workers,
                           seeds[0], args.lr, args.copies, args.step_patience, args.stop_patience,
                           args.keep_empty)
    kept += [read_task(text) for text in args.retention]
    for task in kept:
        if not task.config.get('test_evaluator'):
            raise ValueError(f"--retention '{task.config.filename}' has no test_evaluator: give a "
                             'config that scores its test')
    replay = read_replay(args.replay, args.replay_share) if args.replay else None
    configs, kinds = {}, {}
    for seed in seeds:
        folder = work_dir / f'seed{seed}'
        splits, kinds[seed] = find_splits(args, seed, folder / 'data')
        prompts = read_class_prompts(args.prompts, splits.classes)
        content = finetune_config(base, splits, replace(settings, seed=seed), args.checkpoint,
                                  prompts, replay)
        if args.shots == 0:
            # nothing is trained: no parameter is named
            content.get('model', {}).pop('tuning', None)
        configs[seed] = write_config(folder / 'config.py', file, content, command,
                                     args.cfg_options)
    if len(set(kinds.values())) > 1:
        few, full = ([seed for seed in seeds if kinds[seed] == kind] for kind in KINDS)
        raise ValueError(f'{splits.name} has prepared few-shot files of val for the seeds {few}, '
                         f'and none for {full}: say --val few or --val full')
    args.val = kinds[seeds[0]]
    if not all((config.parent / 'test/metrics.json').is_file() for config in configs.values()):
        check_start(configs[seeds[0]], args.checkpoint)
    return configs, splits


def default_work_dir(args: argparse.Namespace) -> Path:
    """Name the folder of a job that was given none."""
    shots = 'all' if args.shots is None else args.shots
    return Path(f'work_dirs/finetune/{data_name(args.data)}/{args.tuning}_{shots}')


def run_seeds(args: argparse.Namespace, work_dir: Path, splits: Splits, configs: dict[int, Path],
              kept: Sequence[Task]) -> str:
    """Train and test with each seed, and report.

    Args:
        args: Parsed options of ``tools/finetune.py``.
        work_dir: Folder of the job.
        splits: Data of the last seed.
        configs: Seed -> written config, of :func:`prepare`.
        kept: Tests of ``--retention``.

    Returns:
        The table of results, and where they are.
    """
    runs = {f'seed {seed}': run_seed(args, config.parent, seed, config)
            for seed, config in configs.items()}
    return finish(args, work_dir, splits, runs, list(configs.values()), kept)


def finish(args: argparse.Namespace, work_dir: Path, splits: Splits,
           runs: dict[str, dict[str, float]], configs: Sequence[Path],
           kept: Sequence[Task]) -> str:
    """Write results.md, results.json, the retention table and the page; say what is in them."""
    table, name = results_table(runs), splits.name
    replaced = {run: replaced_samples(config.parent / 'train')
                for run, config in zip(runs, configs)}
    doubts = [*splits.doubts, *(
        f'{run}: {sum(counts.values())} times a training sample could not be read, and another '
        f"took its place ({', '.join(f'{c}: {n}' for c, n in counts.items())}); the log of the "
        'training names them' for run, counts in replaced.items() if counts)]
    if all(run['AP'] == 0 for run in runs.values()):
        doubts.append("nothing was found: see 'Training that learns nothing' in "
                      'docs/troubleshooting.md, and what the log said at the first evaluation')
    table += ''.join(f'\n\nWarning: {doubt}.' for doubt in doubts)
    summary = dict(data=name, doubts=doubts, tuning=args.tuning, shots=args.shots, val=args.val,
                   **empty_images(splits, args.keep_empty),
                   replaced_samples=replaced, runs=runs,
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
    said = f"\n{table}\n\nresults: '{work_dir / 'results.md'}' and results.json"
    if not args.no_report:
        tests = [c.parent / 'test' for c in configs]
        names = list(runs)
        for model in sorted(p for p in (work_dir / 'retention').glob('*') if kept):
            tests += [model / task.name for task in kept]
            names += [f"{model.name.replace('_', ' ')}: {task.name}" for task in kept]
        page = make_report([str(t) for t in tests], work_dir / 'report', names)
        said += f"\nreport: '{page}'"
    return said


def _finite(value: object) -> object:
    # JSON has no nan
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    return None if isinstance(value, float) and value != value else value
