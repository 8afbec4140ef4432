"""Find better words for classes without training: score candidate wordings on the val split.

One class after the other is tried with all its candidates, while the others stay fixed;
the words with the best AP of that class are kept. Writes results.md, .json and .png, and
prompts.json for tools/finetune.py --prompts. The same command again, or one with more candidates,
scores only new candidates.

Example:
    python tools/analysis_tools/tune_prompts.py --data data/raccoon --checkpoint glip_tiny.pth \
        --config configs/glip/glip_swin-t_o365-goldg.py --templates 'a {}' '{} which is grey'
    python tools/analysis_tools/tune_prompts.py --data odinw:Aquarium --checkpoint glip_tiny.pth \
        --config configs/glip/glip_swin-t_o365-goldg.py --candidates candidates.yml --rounds 2
"""

import argparse
import json
import random
import shlex
from pathlib import Path

from glip_mm_cli.options import add_cfg_options, merge_cfg_options, parse_early

SETS = Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'datasets' / 'odinw.json'
#: Minimum number of bootstrap samples for the ends of a 95 % interval.
MIN_BOOTSTRAP = 100


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data', required=True, metavar='FOLDER|odinw:NAME',
                        help='as for tools/finetune.py; its val split is used')
    parser.add_argument('--checkpoint', required=True, help='the model: a file, an address, or a '
                        'model of the index such as glip_swin-t_o365-goldg')
    parser.add_argument('--config', help='config of the model (default: what the index or the '
                        'checkpoint itself says)')
    parser.add_argument('--candidates', metavar='FILE', help='JSON or YAML {CLASS: [CANDIDATE, '
                        "...]}: a phrase, a template such as '{} which is flat', or {phrase, "
                        'prefix, suffix}')
    parser.add_argument('--templates', nargs='+', default=[], metavar='TEXT',
                        help='for every class, which takes the place of {} (default, without '
                        "--candidates: 'a {}', '{}s', 'a photo of a {}')")
    parser.add_argument('--rounds', type=int, default=1, metavar='N', help='passes over all '
                        'classes; later ones know what was chosen for the others (default: 1)')
    parser.add_argument('--bootstrap', type=int, default=200, metavar='N', help='samples of '
                        'images for the intervals; 0: no intervals (default: 200)')
    parser.add_argument('--certain', action='store_true', help='choose only words whose interval '
                        'lies above 0')
    parser.add_argument('--max-images', type=int, metavar='N', help='use N images of the val '
                        'split, drawn at random, the same every time')
    parser.add_argument('--feature-memory', type=float, default=1., metavar='GB', help='for '
                        'encoded images; those beyond are encoded for each class anew (default: 1)')
    parser.add_argument('--val-fraction', type=float, metavar='SHARE', help='make this share of '
                        'the training images the val split, where there is none')
    parser.add_argument('--odinw-root', default='data/odinw', help='default: data/odinw')
    parser.add_argument('--sets', default=str(SETS), metavar='FILE.json',
                        help='descriptions of the sets of ODinW')
    parser.add_argument('--device', help="default: a GPU if there is one, else 'cpu'")
    parser.add_argument('--work-dir', help='default: work_dirs/tune_prompts/DATA')
    add_cfg_options(parser)
    return parser


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    parse_early(make_parser())

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import DefaultScope

from glip_mm.apis.building import build_model
from glip_mm.apis.suite import test_pipeline_of
from glip_mm.atomic_files import write_atomically
from glip_mm.datasets.coco_file import categories_of, read_coco
from glip_mm.datasets.data_error import read_json
from glip_mm.evaluation.class_ap import resampled_images
from glip_mm.evaluation.fingerprint import differences, fingerprint
from glip_mm.evaluation.tested_datasets import tested_datasets
from glip_mm.file_lock import writing_into
from glip_mm.finetuning import open_splits
from glip_mm.finetuning.config import split_dataset
from glip_mm.finetuning.open_splits import data_name
from glip_mm.finetuning.prompt_candidates import all_candidates
from glip_mm.finetuning.prompt_detector import PromptDetector
from glip_mm.finetuning.prompt_report import write_prompt_results
from glip_mm.finetuning.prompt_scores import PromptScores
from glip_mm.finetuning.prompt_search import PromptSearch, to_finetune_prompts
from glip_mm.finetuning.start import find_start
from glip_mm.registry import DATASETS, SCOPE


def check_options(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """End the program if an option is invalid."""
    if args.rounds < 1:
        parser.error(f'--rounds {args.rounds} must be at least 1')
    if args.bootstrap and args.bootstrap < MIN_BOOTSTRAP:
        parser.error(f'--bootstrap {args.bootstrap} must be 0 or at least {MIN_BOOTSTRAP}')
    if args.certain and not args.bootstrap:
        parser.error('--certain needs intervals: leave --bootstrap 0 out')
    if args.max_images is not None and args.max_images < 1:
        parser.error(f'--max-images {args.max_images} must be at least 1')


def claim(work_dir: Path, now: dict[str, str]) -> None:
    """Claim a folder, whose predictions must be of the same weights, settings and data.

    Raises:
        ValueError: If they are not; the message names the differences.
    """
    path = work_dir / 'run.json'
    if path.is_file():
        found = differences(read_json(path), now)
        if found:
            raise ValueError(f"'{work_dir}' is of a run with other settings: give another "
                             '--work-dir, or remove it\n  ' + '\n  '.join(found[:20]))
    write_atomically(path, json.dumps(now, indent=1).encode())


def main() -> None:
    """Run the search and write the report."""
    parser = make_parser()
    args = parser.parse_args()
    check_options(parser, args)
    work_dir = Path(args.work_dir or f'work_dirs/tune_prompts/{data_name(args.data)}')
    with writing_into(work_dir):
        search(parser, args, work_dir)


def search(parser: argparse.ArgumentParser, args: argparse.Namespace, work_dir: Path) -> None:
    """Search, and write the results into a folder."""
    try:
        config_file, weights = find_start(args.checkpoint, args.config, work_dir)
        config = Config.fromfile(config_file)
        merge_cfg_options(config, args.cfg_options)
        splits = open_splits(args.data, work_dir / 'data', args.val_fraction, args.sets,
                             args.odinw_root)
        candidates = all_candidates(splits.classes, args.candidates, args.templates,
                                    splits.caption_prompt)
        settings = split_dataset(splits, splits.val, test_pipeline_of(config))
        with DefaultScope.overwrite_default_scope(config.get('default_scope', SCOPE)):
            dataset = DATASETS.build(settings)
        model = build_model(config, weights).to(args.device or get_device())
        claim(work_dir, fingerprint(model, dict(model=config.model, test_dataloader=settings),
                                    tested_datasets(dataset)))
    except (FileNotFoundError, ValueError, KeyError) as error:
        parser.error(str(error.args[0]))
    images = list(range(len(dataset)))
    random.Random(0).shuffle(images)
    images = images[:args.max_images]
    ann_file = str(splits.val.ann_file)
    ids, _ = categories_of(read_coco(ann_file), ann_file, splits.classes)
    detector = PromptDetector(model, dataset, args.feature_memory * 2 ** 30)
    scores = PromptScores(work_dir / 'predictions', detector, splits.classes, ids, images,
                          ann_file)
    counts = scores.counts()
    lacking = [c for c in candidates if not counts[c][0]]
    candidates = {c: o for c, o in candidates.items() if c not in lacking}
    if not candidates:
        parser.error(f"the {len(images)} images of '{ann_file}' have no boxes of any class that "
                     f'has candidates ({", ".join(lacking) or "none has"})')
    print(f"{splits.name}: {sum(map(len, candidates.values()))} ways to say {len(candidates)} "
          f'classes, {len(images)} images', flush=True)
    draws = resampled_images(len(images), args.bootstrap) if args.bootstrap else None
    result = PromptSearch(splits.classes, scores, draws, args.certain).run(
        candidates, splits.caption_prompt, args.rounds)
    table = write_prompt_results(
        work_dir, result, to_finetune_prompts(result, candidates, splits.caption_prompt), counts,
        dict(data=splits.name, ann_file=ann_file, num_images=len(images),
             bootstrap=args.bootstrap, checkpoint=args.checkpoint), lacking)
    print(f"\n{table}\n\nresults: '{work_dir / 'results.md'}', results.json and results.png")
    print('the val split has chosen these words; what they are worth, the test split says:')
    again = ['--data', args.data, '--config', str(config_file), '--checkpoint', weights,
             '--shots', '0', '--prompts', str(work_dir / 'prompts.json')]
    print('  ' + shlex.join(['python', 'tools/finetune.py', *again]))


if __name__ == '__main__':
    main()
