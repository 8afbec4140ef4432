"""Small-scale self-training: a teacher, its student, and ablated students.

The teacher is trained on gold data that cover part of the vocabulary; its students on the same and
on captions that it labelled. Every run goes through tools/train.py and tools/test.py in
WORK_DIR/VARIANT/seedN, labels are made by tools/pseudo_label.py in WORK_DIR/teacher/seedN/labels.
Started again, the tool resumes where it stopped.

Example:
    python tools/misc/make_grounding_world.py --kind self_training
    python -m dev.experiments.self_training                            # the claim
    python -m dev.experiments.self_training --variants all --seeds 0   # the ablations
"""

import argparse
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from .options import ROOT, add_cfg_options, add_experiment_options

PSEUDO = 'train_dataloader.dataset.datasets.2'
COPIES = 'train_dataloader.dataset.copies'
# a tenth of the captions is read ten times as often: all students train for the same steps
VARIANTS: dict[str, list[str]] = dict(
    teacher=[], student=[],
    threshold_05=[f'{PSEUDO}.pipeline.0.min_score=0.5'],
    threshold_07=[f'{PSEUDO}.pipeline.0.min_score=0.7'],
    captions_1x=[f'{PSEUDO}.ann_file=LABELS/00000.jsonl', f'{COPIES}=[2,2,10]'],
    captions_3x=[f'{PSEUDO}.ann_file=LABELS/{{00000..00002}}.jsonl', f'{COPIES}=[2,2,3.33]'],
    shuffled=[])


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.experiments.self_training', description=__doc__.splitlines()[0])
    parser.add_argument('--variants', nargs='+', default=['teacher', 'student'], metavar='NAME',
                        help=f"of {', '.join(VARIANTS)}; or all (default: teacher student)")
    add_experiment_options(parser, 'work_dirs/self_training', seeds=(0, 1, 2))
    add_cfg_options(parser)
    return parser


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    make_parser().parse_args()

from tqdm import tqdm

from .ablation_report import report
from .experiment import run_experiment
from .runs import Run
from .shuffled_labels import shuffle_labels

CONFIGS = ROOT / 'configs' / 'self_training'
DATA = Path('data/self_training_world')
LABEL_OPTIONS = ['--threshold', '0.3', '--cross-nms', '0.5', '--counts', '--no-determiners',
                 '--parser', 'spacy', '--shard-size', '800']
METRICS = dict(ap_new='new/coco/bbox_mAP', ap_known='known/coco/bbox_mAP',
               phrase_recall_at_1='grounding/phrases/Recall@1')
COLUMNS = dict(ap_new='AP new names', ap_known='AP known names',
               phrase_recall_at_1='phrase recall @ 1')


class Teacher(Run):
    """A run whose model labels the captions of its students.

    Attributes:
        data: Folder of the world whose pool it labels.
        label_options: Options of ``tools/pseudo_label.py``.
    """

    data = DATA
    label_options = LABEL_OPTIONS

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._labelling = threading.Lock()

    @property
    def weights(self) -> str:
        """Return the path of the trained weights."""
        return (self.folder / 'last_checkpoint').read_text(encoding='utf-8').strip()

    def is_trained(self) -> bool:
        """Return whether there are weights."""
        return bool(self.state.get('trained'))

    def can_label(self) -> bool:
        """Return whether a student need not wait, be it that it makes the labels itself."""
        return self.is_trained() and not self._labelling.locked()

    def hand_on(self, bar: tqdm) -> Mapping[str, str]:
        """Return the place of the weights, for a training that starts from them."""
        return dict(TEACHER_WEIGHTS=self.weights)

    def label(self, variant: str, bar: tqdm) -> Mapping[str, str]:
        """Return the place of the labels for a student; the first call makes them."""
        folder = self.folder / 'labels'
        with self._labelling:
            if not (folder / 'summary.json').is_file():
                bar.total += 1
                self.call('pseudo_label', [
                    self.config, self.weights,
                    '--data', str(self.data / 'annotations' / 'pool.jsonl'),
                    '--images', str(self.data / 'images'), '--out', str(folder),
                    *self.label_options],
                    bar, options=False)
        if variant == 'shuffled':
            shuffle_labels(folder / 'labels', self.folder / 'shuffled' / 'labels')
            folder = self.folder / 'shuffled'
        return dict(LABELS=str(folder.resolve()), **self.hand_on(bar))


def make_runs(args: argparse.Namespace, work_dir: Path) -> list[Run]:
    """Make all runs, teachers first: a student waits for its own.

    Raises:
        FileNotFoundError: If the data set is missing.
        ValueError: If a variant is unknown.
    """
    variants = list(VARIANTS) if args.variants == ['all'] else args.variants
    unknown = [name for name in variants if name not in VARIANTS]
    if unknown:
        raise ValueError(f"--variants '{unknown[0]}' is unknown; use {', '.join(VARIANTS)} or all")
    if not (DATA / 'world.json').is_file():
        raise FileNotFoundError(f"'{DATA}' is not there yet: run "
                                "'python tools/misc/make_grounding_world.py --kind self_training'")
    teachers = {seed: Teacher(work_dir / 'teacher' / f'seed{seed}', 'teacher',
                              str(CONFIGS / 'glip_nano_teacher.py'), seed, args.cfg_options,
                              args.jobs, METRICS) for seed in args.seeds}
    students = []
    for seed, teacher in teachers.items():
        labels = str((teacher.folder / 'labels' / 'labels').resolve())
        for name in variants:
            if name != 'teacher':
                options = [option.replace('LABELS', labels) for option in VARIANTS[name]]
                students.append(Run(work_dir / name / f'seed{seed}', name,
                                    str(CONFIGS / 'glip_nano_student.py'), seed,
                                    [*args.cfg_options, *options], args.jobs, METRICS,
                                    partial(teacher.label, name), teacher.can_label))
    return [*teachers.values(), *students]


def main() -> None:
    """Run the missing runs and report."""
    args = make_parser().parse_args()
    work_dir = Path(args.work_dir)
    run_experiment(args, partial(make_runs, args, work_dir),
                   partial(report, work_dir, list(VARIANTS), COLUMNS, 'teacher'))


if __name__ == '__main__':
    main()
