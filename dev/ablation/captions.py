"""Scaling of self-training: AP of new things over the number of captions that a teacher labelled.

A teacher learns from gold data of the pictogram world and labels its pool. Students start from the
teacher and read gold and 1, 3, 10 or 30 thirtieths of the labels, each so often that all train for
the same number of steps. Every run goes through tools/train.py and tools/test.py in
WORK_DIR/VARIANT/seedN. Started again, the tool resumes where it stopped.

Example:
    python tools/misc/make_grounding_world.py --kind pictograms --pictograms data/pictograms \\
        --photos data/photos
    python -m dev.ablation.captions
    python -m dev.ablation.captions --variants captions_1x captions_30x --seeds 0
"""

import argparse
from functools import partial
from pathlib import Path

from .options import ROOT, add_experiment_options

#: Variant -> thirtieths of the captions.
VARIANTS = dict(captions_1x=1, captions_3x=3, captions_10x=10, captions_30x=30)
SHARDS = 30


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.ablation.captions', description=__doc__.splitlines()[0])
    parser.add_argument('--variants', nargs='+', choices=VARIANTS, default=list(VARIANTS),
                        metavar='NAME', help=f"of {', '.join(VARIANTS)} (default: all)")
    add_experiment_options(parser, 'work_dirs/captions', seeds=(0, 1, 2))
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
                        help='settings for every run, as for tools/train.py')
    return parser


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    make_parser().parse_args()

from .ablation_report import report
from .experiment import run_experiment
from .runs import Run
from .self_training import LABEL_OPTIONS, Teacher

CONFIGS = ROOT / 'configs' / 'experiments'
DATA = Path('data/pictogram_world')
METRICS = dict(
    ap50_pool='all/coco/pool/bbox_mAP_50', ap50_captioned='all/coco/captioned/bbox_mAP_50',
    ap50_named='all/coco/named/bbox_mAP_50', ap50_compounds='all/coco/compounds/bbox_mAP_50',
    ap50_unnamed='all/coco/unnamed/bbox_mAP_50', ap50_few='few/coco/few/bbox_mAP_50',
    ap50_synonyms='synonyms/coco/synonyms/bbox_mAP_50',
    ap50_hypernyms='hypernyms/coco/hypernyms/bbox_mAP_50',
    phrase_recall_at_1='grounding/phrases/Recall@1')
COLUMNS = dict(ap50_pool='AP50 things of the pool', ap50_captioned='AP50 things of gold captions',
               ap50_named='AP50 named things', phrase_recall_at_1='phrase recall @ 1')


class PictogramTeacher(Teacher):
    """The teacher of the pictogram world; its labels lie in :data:`SHARDS` files of one size."""

    data = DATA

    @property
    def label_options(self) -> list[str]:  # type: ignore[override]  # depends on the pool's size
        """Return the options of ``tools/pseudo_label.py``."""
        with open(self.data / 'annotations' / 'pool.jsonl', 'rb') as file:
            captions = sum(1 for _ in file)
        return [*LABEL_OPTIONS[:-1], str(-(-captions // SHARDS))]


def pool_options(folder: Path, part: int) -> list[str]:
    """Return the settings of a student that reads ``part`` of the shards of ``folder``."""
    last = f'{part - 1:05d}'
    files = f'{folder}/{{00000..{last}}}.jsonl' if part > 1 else f'{folder}/00000.jsonl'
    data = 'train_dataloader.dataset'
    return [f'{data}.datasets.2.ann_file={files}', f'{data}.copies=[1,1,{SHARDS / part:g}]']


def make_runs(args: argparse.Namespace, work_dir: Path) -> list[Run]:
    """Make all runs, teachers first: a student waits for its own.

    Raises:
        FileNotFoundError: If the data set is missing.
    """
    if not (DATA / 'world.json').is_file():
        raise FileNotFoundError(f"'{DATA}' is not there yet: run 'python "
                                "tools/misc/make_grounding_world.py --kind pictograms' "
                                '(docs/pictograms.md)')
    teachers = [PictogramTeacher(work_dir / 'teacher' / f'seed{seed}', 'teacher',
                                 str(CONFIGS / 'glip_nano_pictograms.py'), seed, args.cfg_options,
                                 args.jobs, METRICS) for seed in args.seeds]
    students = [Run(work_dir / name / f'seed{teacher.seed}', name,
                    str(CONFIGS / 'glip_nano_pictograms-student.py'), teacher.seed,
                    [*args.cfg_options,
                     *pool_options((teacher.folder / 'labels' / 'labels').resolve(),
                                   VARIANTS[name])],
                    args.jobs, METRICS, partial(teacher.label, name))
                for teacher in teachers for name in args.variants]
    return [*teachers, *students]


def main() -> None:
    """Run the missing runs and report."""
    args = make_parser().parse_args()
    work_dir = Path(args.work_dir)
    run_experiment(args, partial(make_runs, args, work_dir),
                   partial(report, work_dir, ['teacher', *VARIANTS], COLUMNS, 'teacher'))


if __name__ == '__main__':
    main()
