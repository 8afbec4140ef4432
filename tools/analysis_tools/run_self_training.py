"""Self-training in small: a teacher, its student, and students that lack something.

The teacher learns from gold data that name some of the words; its students learn from the same and
from captions as it labelled them. Every run goes through tools/train.py and tools/test.py in
WORK_DIR/VARIANT/seedN, labels are made by tools/pseudo_label.py in WORK_DIR/teacher/seedN/labels.
Started again, the tool continues where it stopped.

Example:
    python tools/misc/make_grounding_world.py --kind self_training
    python tools/analysis_tools/run_self_training.py                            # the claim
    python tools/analysis_tools/run_self_training.py --variants all --seeds 0   # what it rests on
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ablation import ROOT, Run, lock, report, run_all
from ablation.shuffled_labels import shuffle_labels
from tqdm import tqdm

CONFIGS = ROOT / 'configs' / 'self_training'
DATA = Path('data/self_training_world')
LABEL_OPTIONS = ['--threshold', '0.3', '--cross-nms', '0.5', '--counts', '--no-determiners',
                 '--shard-size', '800']
METRICS = dict(ap_new='new/coco/bbox_mAP', ap_known='known/coco/bbox_mAP',
               phrase_recall_at_1='grounding/phrases/Recall@1')
COLUMNS = dict(ap_new='AP new names', ap_known='AP known names',
               phrase_recall_at_1='phrase recall @ 1')
PSEUDO = 'train_dataloader.dataset.datasets.2'
COPIES = 'train_dataloader.dataset.copies'
# a tenth of the captions is read ten times as often: all students take the same steps
VARIANTS: dict[str, list[str]] = dict(
    teacher=[], student=[],
    threshold_05=[f'{PSEUDO}.pipeline.0.min_score=0.5'],
    threshold_07=[f'{PSEUDO}.pipeline.0.min_score=0.7'],
    captions_1x=[f'{PSEUDO}.ann_file=LABELS/00000.jsonl', f'{COPIES}=[2,2,10]'],
    captions_3x=[f'{PSEUDO}.ann_file=LABELS/{{00000..00002}}.jsonl', f'{COPIES}=[2,2,3.33]'],
    shuffled=[])


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--variants', nargs='+', default=['teacher', 'student'], metavar='NAME',
                        help=f"of {', '.join(VARIANTS)}; or all (default: teacher student)")
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2], metavar='N')
    parser.add_argument('--work-dir', default='work_dirs/self_training', metavar='FOLDER')
    parser.add_argument('--report-only', action='store_true',
                        help='run nothing, report the runs that are finished')
    parser.add_argument('--restart', action='store_true',
                        help='throw away runs that were made with other settings')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
                        help='settings for every run, as for tools/train.py')
    return parser


def label(teacher: Run, variant: str, bar: tqdm) -> Mapping[str, str]:
    """Make the labels that a student learns from, if they are not there yet."""
    folder = teacher.folder / 'labels'
    if not (folder / 'summary.json').is_file():
        checkpoint = (teacher.folder / 'last_checkpoint').read_text().strip()
        bar.total += 1
        teacher.call('pseudo_label', [
            teacher.config, checkpoint, '--data', str(DATA / 'annotations' / 'pool.jsonl'),
            '--images', str(DATA / 'images'), '--out', str(folder), *LABEL_OPTIONS],
            bar, options=False)
    if variant == 'shuffled':
        shuffled = teacher.folder / 'shuffled'
        shuffle_labels(folder / 'labels', shuffled / 'labels')
        folder = shuffled
    return dict(LABELS=str(folder.resolve()))


def make_runs(args: argparse.Namespace, work_dir: Path, variants: list[str]) -> list[Run]:
    """All runs, the teacher of a seed before its students."""
    runs = []
    for seed in args.seeds:
        teacher = Run(work_dir / 'teacher' / f'seed{seed}', 'teacher',
                      str(CONFIGS / 'glip_nano_teacher.py'), seed, args.cfg_options,
                      metrics=METRICS)
        runs.append(teacher)
        labels = (teacher.folder / 'labels' / 'labels').resolve()
        for name in variants:
            if name != 'teacher':
                options = [option.replace('LABELS', str(labels)) for option in VARIANTS[name]]
                runs.append(Run(work_dir / name / f'seed{seed}', name,
                                str(CONFIGS / 'glip_nano_student.py'), seed,
                                [*args.cfg_options, *options], metrics=METRICS,
                                before=partial(label, teacher, name)))
    return runs


def main() -> None:
    """Run what is missing and report."""
    args = make_parser().parse_args()
    work_dir = Path(args.work_dir)
    held = None
    try:
        names = list(VARIANTS) if args.variants == ['all'] else args.variants
        unknown = [name for name in names if name not in VARIANTS]
        if unknown:
            raise ValueError(f"--variants '{unknown[0]}' is unknown; use {', '.join(VARIANTS)} or "
                             'all')
        collect = partial(report, work_dir, list(VARIANTS), COLUMNS, 'teacher')
        if not args.report_only:
            if not (DATA / 'world.json').is_file():
                raise FileNotFoundError(f"'{DATA}' is not there yet: run "
                                        "'python tools/misc/make_grounding_world.py --kind "
                                        "self_training'")
            held = lock(work_dir)
            runs = make_runs(args, work_dir, names)
            for run in runs:
                run.prepare(args.restart)
            run_all(runs, 1, collect)
        table = collect()
    except (FileNotFoundError, RuntimeError, ValueError, json.JSONDecodeError) as error:
        sys.exit(f'error: {error}')
    finally:
        if held is not None:
            os.close(held)
    print(table)
    print(f"\nresults: {work_dir / 'results.json'}, results.md and results.png beside it")


if __name__ == '__main__':
    main()
