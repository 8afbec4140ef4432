"""The paper's claims in the pictogram world: fusion, grounding data, captions, words, data mixes.

Every variant trains for as many steps as those it is compared with. From a model of detection data,
B goes on with these and C with captions, too. C is the teacher that labels the pool of captions;
its students read gold data and 1, 3, 10 or 30 thirtieths of the labels. Every run goes through
tools/train.py and tools/test.py in WORK_DIR/VARIANT/seedN, and serves every claim that needs it.
Started again, the tool resumes where it stopped.

Example:
    python tools/misc/make_grounding_world.py --kind pictograms --pictograms data/pictograms \\
        --photos data/photos
    python -m dev.experiments.pictograms
    python -m dev.experiments.pictograms captions --seeds 0
"""

import argparse
import json
from functools import partial
from pathlib import Path
from typing import NamedTuple

from .options import ROOT, add_cfg_options, add_experiment_options

SHARDS = 30


class Variant(NamedTuple):
    """How a variant is trained.

    Attributes:
        config: Config in ``configs/experiments``, after ``glip_nano_pictograms``.
        start: Variant whose weights the training starts from.
        parts: Thirtieths to read of the labels that ``start`` gives the pool; 0: gold data alone
            for as many steps; None: there are no labels.
        options: Settings of the training.
    """

    config: str = ''
    start: str = ''
    parts: int | None = None
    options: tuple[str, ...] = ()


class Claim(NamedTuple):
    """Variants that are compared.

    Attributes:
        variants: Names of the variants, in order.
        baseline: Variant that all others are compared with; None: each with the one before.
        columns: Metrics to show.
    """

    variants: tuple[str, ...]
    baseline: str | None
    columns: tuple[str, ...]


LONG = ('train_cfg.max_epochs=3', 'param_scheduler.1.end=3', 'param_scheduler.1.T_max=3')
VARIANTS = dict(
    detection=Variant(), A=Variant('-a_detection'), C=Variant('-captions', 'detection'),
    B=Variant('-captions', 'detection', options=('train_dataloader.dataset.ratios=[1,0]', )),
    **{f'captions_{parts}x': Variant('-student', 'C', parts) for parts in (0, SHARDS, 1, 3, 10)},
    long_0x=Variant('-student', 'C', 0, LONG), long_30x=Variant('-student', 'C', SHARDS, LONG),
    shuffled=Variant('-student', 'C', SHARDS),
    second_round=Variant('-student', 'captions_30x', SHARDS),
    captions_alone=Variant('-captions', 'detection',
                           options=('train_dataloader.dataset.ratios=[0,1]', )),
    words_tuned=Variant('-student', 'C', 0, ('model.language_model.frozen=False', )))
CURVE = ('captions_0x', 'captions_1x', 'captions_3x', 'captions_10x', 'captions_30x')
PARTS = ('ap50_named', 'ap50_captioned', 'ap50_pool')
WORDS = ('ap50_few', 'ap50_synonyms', 'ap50_spoken_hypernyms', 'ap50_hypernyms', 'ap50_compounds',
         'ap50_unnamed')
PHRASES = 'phrase_recall_at_1'
CLAIMS = dict(
    fusion=Claim(('A', 'detection'), 'A', (*PARTS, PHRASES)),
    grounding=Claim(('B', 'C'), 'B', (*PARTS, PHRASES)),
    captions=Claim(('C', *CURVE), 'captions_0x', (*PARTS, PHRASES)),
    steps=Claim(('captions_0x', 'captions_30x', 'long_0x', 'long_30x'), None, (*PARTS, PHRASES)),
    rounds=Claim(('captions_0x', 'shuffled', 'captions_30x', 'second_round'), 'captions_0x',
                 (*PARTS, PHRASES)),
    words=Claim(('C', 'captions_0x', 'words_tuned'), 'captions_0x', WORDS),
    mix=Claim(('B', 'captions_alone', 'C'), 'B', (*PARTS, PHRASES)))


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(
        prog='python -m dev.experiments.pictograms', description=__doc__.splitlines()[0])
    parser.add_argument('claims', nargs='*', metavar='CLAIM', default=list(CLAIMS),
                        help=f"of {', '.join(CLAIMS)} (default: all)")
    add_experiment_options(parser, 'work_dirs/pictograms', seeds=(0, 1, 2))
    add_cfg_options(parser)
    return parser


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = make_parser()
    args = parser.parse_args()
    if unknown := [name for name in args.claims if name not in CLAIMS]:
        parser.error(f"claim '{unknown[0]}' is unknown; use {', '.join(CLAIMS)}")
    return args


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    parse_args()

from .ablation_report import report
from .captions_chart import draw_captions
from .experiment import run_experiment
from .label_quality import label_quality, quality_table
from .runs import Run
from .self_training import LABEL_OPTIONS, Teacher

CONFIG = str(ROOT / 'configs' / 'experiments' / 'glip_nano_pictograms')
DATA = Path('data/pictogram_world')
METRICS = {f'ap50_{view}': f'{prompt}/coco/{view}/bbox_mAP_50' for prompt, views in dict(
    all=('named', 'captioned', 'pool', 'compounds', 'unnamed'), few=('few', ),
    synonyms=('synonyms', ), hypernyms=('hypernyms', 'spoken_hypernyms')).items()
    for view in views} | {PHRASES: 'grounding/phrases/Recall@1'}
TITLES = {metric: f"AP50 {metric[5:].replace('_', ' ')}" for metric in METRICS} | {
    PHRASES: 'phrase recall @ 1', 'ap50_spoken_hypernyms': 'AP50 hypernyms of captions',
    'ap50_hypernyms': 'AP50 other hypernyms'}


class PictogramTeacher(Teacher):
    """A run in the pictogram world; its labels lie in :data:`SHARDS` files of one size."""

    data = DATA

    @property
    def label_options(self) -> list[str]:  # type: ignore[override]  # depends on the pool's size
        """Return the options of ``tools/pseudo_label.py``."""
        return [*LABEL_OPTIONS[:-1], str(-(-count_captions() // SHARDS))]


def count_captions() -> int:
    """Return the number of captions in the pool."""
    with open(DATA / 'annotations' / 'pool.jsonl', 'rb') as file:
        return sum(1 for _ in file)


def pool_options(folder: Path, parts: int) -> list[str]:
    """Return the settings of a student that reads ``parts`` of the shards of ``folder``."""
    data = 'train_dataloader.dataset'
    last = f'{parts - 1:05d}'
    files = f'{folder}/{{00000..{last}}}.jsonl' if parts > 1 else f'{folder}/00000.jsonl'
    return [f'{data}.datasets.2.ann_file={files}'] + [f'{data}.ratios=[2,1,0]'] * (not parts)


def make_runs(args: argparse.Namespace, work_dir: Path) -> list[Run]:
    """Make all runs; a student waits for its teacher.

    Raises:
        FileNotFoundError: If the data set is missing.
    """
    if not (DATA / 'world.json').is_file():
        raise FileNotFoundError(f"'{DATA}' is not there yet: run 'python "
                                "tools/misc/make_grounding_world.py --kind pictograms' "
                                '(docs/pictograms.md)')
    wanted = {name for claim in args.claims for name in CLAIMS[claim].variants}
    while missing := {VARIANTS[name].start for name in wanted} - wanted - {''}:
        wanted |= missing
    runs: dict[tuple[str, int], PictogramTeacher] = {}
    # seed by seed: if stopped early, all variants have the same number of seeds
    for seed in args.seeds:
        for name, variant in VARIANTS.items():
            if name not in wanted:
                continue
            # tests alone are reported: the validation after a training would take a tenth of it
            options = [*args.cfg_options, *variant.options, 'train_cfg.val_begin=1000']
            after = {}
            if variant.start:
                start = runs[variant.start, seed]
                if variant.parts is None:
                    after = dict(before=start.hand_on, ready=start.is_trained)
                else:
                    folder = start.folder / ('shuffled' if name == 'shuffled' else 'labels')
                    options += pool_options((folder / 'labels').resolve(), variant.parts)
                    after = dict(before=partial(start.label, name), ready=start.can_label)
            runs[name, seed] = PictogramTeacher(
                work_dir / name / f'seed{seed}', name, f'{CONFIG}{variant.config}.py', seed,
                options, args.jobs, METRICS, **after)
    return list(runs.values())


def collect(claims: list[str], work_dir: Path) -> str:
    """Write a table and a chart for each claim, and return the tables."""
    tables = []
    for name in claims:
        claim = CLAIMS[name]
        columns = {m: TITLES[m] for m in claim.columns}
        try:
            tables.append(f'{name}\n\n' + report(work_dir, claim.variants, columns, claim.baseline,
                                                name))
        except FileNotFoundError:  # nothing of it is finished yet
            continue
        if name == 'captions':
            captions = count_captions()
            draw_captions(work_dir / f'{name}.json', {
                v: round(captions * VARIANTS[v].parts / SHARDS) for v in CURVE}, columns, 'C')
    if not tables:
        raise FileNotFoundError(f"no run in '{work_dir}' is finished")
    names = json.loads((DATA / 'world.json').read_text(encoding='utf-8'))['names']
    made = sorted(work_dir.glob('*/seed*/labels/summary.json'))
    if made:
        quality = {f'{file.parts[-4]}, {file.parts[-3]}': label_quality(
            file.parent / 'labels', DATA / 'annotations' / 'pool_truth.jsonl', names)
            for file in made}
        tables.append(f'wrong boxes, percent\n\n{quality_table(quality)}')
    return '\n\n'.join(tables)


def main() -> None:
    """Run the missing runs and report."""
    args = parse_args()
    work_dir = Path(args.work_dir)
    run_experiment(args, partial(make_runs, args, work_dir),
                   partial(collect, args.claims, work_dir))


if __name__ == '__main__':
    main()
