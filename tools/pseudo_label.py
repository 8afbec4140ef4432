"""Label images with a model: the classes that you name, or the phrases of captions.

With --classes, IMAGES is a folder (with the folders in it), a .jsonl, .csv or .tsv file with a
column "filename", or tar shards. Every image is labelled, also those in which nothing is found.
--to writes a data set for a training or for a labelling tool.

Without, images have captions: tar shards as img2dataset writes them, a .jsonl, .csv or .tsv file
with columns "filename" and "caption", or a folder of images with .txt files beside them.

The labels are ODVG rows with scores (tar shards for tar shards) in DIR/labels, which
GroundingDataset reads as they are: ann_file='DIR/labels/*.jsonl', or format='tar' and
'DIR/labels/*.tar'. Interrupted, the same command goes on; several processes (torchrun) or the
actors of a Ray cluster (--engine ray) share the work, each shard is labelled once.

Example:
    glip-mm label photos/ --classes cup 'coffee maker' --to yolo --val 0.2 --out set/
    glip-mm label photos/ --classes cup --negatives glass --model FILE.pth --out work_dirs/labels
    python tools/pseudo_label.py CONFIG CHECKPOINT --data SHARDS --out DIR
    torchrun --nproc-per-node 8 tools/pseudo_label.py CONFIG CHECKPOINT --data SHARDS --out DIR
    python tools/pseudo_label.py CONFIG CHECKPOINT --data SHARDS --out DIR --engine ray --actors 1:8
"""

import argparse
import json
import os
import shlex
import sys
from collections import Counter
from functools import partial
from pathlib import Path

from glip_mm_cli.labelling_options import (
    DEFAULT_MODEL,
    LabellingParser,
    add_data_set_options,
    add_names_options,
    names_of,
    share,
)
from glip_mm_cli.options import add_dtype, parse_early


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = LabellingParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, usage='%(prog)s '
        'IMAGES --classes NAME ... --out DIR [options]\n'
        '       %(prog)s CONFIG CHECKPOINT --data CAPTIONED_IMAGES --out DIR [options]')
    parser.add_argument('inputs', nargs='*', metavar='IMAGES | CONFIG CHECKPOINT',
                        help='images; or, with --data, config and weights')
    parser.add_argument('--data', metavar='IMAGES', help='images, see above')
    parser.add_argument('--images', help='folder that the files of rows start from (default: that '
                        'of --data)')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder for the result')
    parser.add_argument('--model', dest='config', metavar='NAME|FILE.pth|CONFIG', help='model: a '
                        'name of the model index, a checkpoint that carries its config, or a '
                        f'config (default: {DEFAULT_MODEL})')
    parser.add_argument('--weights', dest='checkpoint', metavar='FILE', help='weights of the '
                        "config (default: the index's)")
    add_names_options(parser)
    add_data_set_options(parser)
    group = parser.add_argument_group('which boxes become labels')
    group.add_argument('--threshold', type=share, help='boxes must score more (default: what is '
                       'stored beside the weights for class names, else 0.5, as published)')
    group.add_argument('--top-k', type=int, default=0,
                       help='most boxes of a phrase or class (default: all)')
    group.add_argument('--nms', type=float, default=0.6, help='IoU above which a better box of '
                       'the same phrase suppresses another (default: 0.6)')
    group.add_argument('--min-size', type=float, default=1., help='least width and height of a '
                       'box in pixels (default: 1)')
    group.add_argument('--cross-nms', type=share, default=0., metavar='IOU',
                       help='IoU above which a box goes to the best phrase alone (default: '
                       'phrases may share boxes)')
    group = parser.add_argument_group('phrases of captions')
    group.add_argument('--counts', action='store_true', help='no more boxes than the caption '
                       'says: one for "a dog", two for "two dogs"')
    group.add_argument('--parser', default='auto', choices=['auto', 'spacy', 'textblob'],
                       help='what tags the words of captions (default: the first that is there)')
    group.add_argument('--grammar', default='published', choices=['published', 'chunks'],
                       help='published: determiner, adjectives, nouns (default); chunks: those of '
                       'the parser')
    group.add_argument('--no-determiners', action='store_true',
                       help='ask for "dog" where the caption says "a dog"')
    group = parser.add_argument_group('the work')
    group.add_argument('--batch-size', type=int, default=8)
    group.add_argument('--shard-size', type=int, default=1000,
                       help='samples of a shard, except of tar shards (default: 1000)')
    add_dtype(group)
    group.add_argument('--device', help='default: cuda if there is one, else cpu')
    group.add_argument('--workers', type=int, default=2, help='threads that decode images')
    group.add_argument('--engine', choices=['processes', 'ray'], default='processes',
                       help='processes: this one, with those that torchrun or you start beside '
                       'it (default); ray: actors, one a GPU, that come and go')
    group.add_argument('--actors', default='1:', metavar='MIN[:[MAX]]', help='of Ray: how many; '
                       '"4" is always four (default: from one to what the cluster has room for)')
    group.add_argument('--ray-address', help='of a running cluster, "auto" for one of this '
                       'machine (default: start one here for this run)')
    return parser


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    parse_early(make_parser())

import torch
from mmengine.registry import init_default_scope

from glip_mm.apis.building import build_model, resolve_model
from glip_mm.apis.images import ImagePipeline
from glip_mm.apis.prompts import warn_of_names
from glip_mm.compat import apply_all
from glip_mm.datasets.label_map import write_label_map
from glip_mm.finetuning.class_prompts import read_class_prompts
from glip_mm.pseudo_labels import (
    BoxSelection,
    CaptionPhrases,
    ClassNames,
    LabelSettings,
    LostShards,
    Teacher,
    find_shards,
    label,
)
from glip_mm.pseudo_labels.export import Collection, export_labels
from glip_mm.pseudo_labels.label_rows import LABEL_MAP, LabelRows
from glip_mm.pseudo_labels.ray_engine import Actors, label_with_ray
from glip_mm.pseudo_labels.review import make_review
from glip_mm.pseudo_labels.settings import check_settings
from glip_mm.text import NounPhraseFinder
from glip_mm.thresholds import Thresholds, thresholds_file

#: Score that boxes must exceed, as published.
PUBLISHED = 0.5
#: Names whose boxes are counted on the screen.
MOST_NAMES = 20


def question_of(args: argparse.Namespace, weights: str | None
                ) -> tuple[CaptionPhrases | ClassNames, float]:
    """Build what the teacher is asked, and the score that boxes must exceed."""
    least = PUBLISHED if args.threshold is None else args.threshold
    if not args.names:
        return CaptionPhrases(NounPhraseFinder(args.parser, args.grammar),
                              not args.no_determiners), least
    thresholds = Thresholds(least)
    if args.thresholds:
        thresholds = Thresholds.parse([str(least), *args.thresholds])
    elif args.threshold is None and weights and os.path.lexists(thresholds_file(weights)):
        stored = Thresholds.beside(weights)
        thresholds = Thresholds(stored.default, {
            name: value for name, value in stored.by_name.items() if name in args.names})
    overrides = read_class_prompts(args.prompts, args.names).caption_prompt
    return ClassNames(args.names, overrides, thresholds.by_name, args.negatives), thresholds.default


def build_teacher(args: argparse.Namespace, device: str) -> Teacher:
    """Build the model, after a check that the folder was begun with the same settings."""
    apply_all()
    config, weights = resolve_model(args.config, args.checkpoint)
    question, least = question_of(args, weights)
    settings = LabelSettings(
        BoxSelection(least, args.top_k, args.nms, args.min_size, args.cross_nms,
                     args.counts),
        args.batch_size, args.dtype, question.facts())
    init_default_scope(config.get('default_scope', 'glip_mm'))
    model = build_model(config, weights)
    teacher = Teacher(model.to(device), ImagePipeline(config), settings.selection, question,
                      args.dtype, args.chunked_size)
    check_settings(args.run, settings.facts(model, config))
    if isinstance(question, ClassNames):
        warn_of_names(model, [question.asked])
        write_label_map(dict(enumerate(args.names)), args.run / LABEL_MAP)
    return teacher


def label_on_ray(args: argparse.Namespace) -> Counter:
    """Label with Ray actors, after all checks in this process."""
    for name in ('config', 'checkpoint', 'data', 'images', 'prompts'):
        path = getattr(args, name)
        if path and os.path.exists(path):
            setattr(args, name, os.path.abspath(path))  # actors may work in another folder
    args.run = args.run.absolute()
    args.thresholds = [os.path.abspath(word) if os.path.isfile(word) else word
                       for word in args.thresholds or ()]
    actors = Actors.parse(args.actors)
    shards = find_shards(args.data, args.run, args.images, args.shard_size, not args.names)
    build_teacher(args, 'cpu')
    return label_with_ray(
        shards, partial(build_teacher, args, args.device), args.run, args.batch_size,
        args.workers, actors, args.device.startswith('cuda'), args.ray_address)


def label_here(args: argparse.Namespace, rank: int) -> Counter:
    """Label with this process, and those that were started beside it."""
    device = args.device
    if device == 'cuda':
        device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
    shards = find_shards(args.data, args.run, args.images, args.shard_size, not args.names)
    return label(shards, build_teacher(args, device), args.run, args.batch_size, args.workers,
                 rank, int(os.environ.get('WORLD_SIZE', 1)))


def finish(args: argparse.Namespace) -> None:
    """Write the data set and the page, and say what there is now."""
    folder = Path(args.images or (args.data if Path(args.data).is_dir()
                                  else Path(args.data).parent))
    images_as = args.images_as or ('none' if args.to == 'labelstudio' else 'link')
    collection = Collection(LabelRows(args.run), folder, keep_empty=bool(args.names), val=args.val,
                            seed=args.seed, images_as=images_as, progress=False)
    summary = json.loads((args.run / 'summary.json').read_text(encoding='utf-8'))
    rejected = summary['samples'] - summary['labelled']
    print(f"{summary['labelled']:,} images, {collection.boxes_of.total():,} boxes; "
          f'{collection.empty:,} images without a box'
          + f"; {rejected:,} rejected, see '{args.run / 'rejects.jsonl'}'" * bool(rejected))
    width = max(map(len, collection.categories), default=0)
    for name in collection.categories[:MOST_NAMES]:
        print(f'  {name:{width}}  {collection.boxes_of[name]:,}')
    if len(collection.categories) > MOST_NAMES:
        print(f'  and {len(collection.categories) - MOST_NAMES:,} names more')
    if not collection.boxes_of.total():
        print('nothing scored more than the threshold: try a lower --threshold, or other names')
    places = {args.run: 'labels with scores'}
    if args.to:
        export_labels(collection, args.to, args.out)
        places = {args.out: f'{args.to} data set' + ''.join(
            f', {count:,} {split}' for split, count in collection.images_of.items()), **places}
    if args.review:
        page = make_review(args.run, folder, args.run / 'review', progress=False)
        places[page] = 'page to look at them'
    for place, what in places.items():
        print(f"{what}: '{place}'")
    print('next: ' + '\n      '.join(next_commands(args, folder)))


def next_commands(args: argparse.Namespace, folder: Path) -> list[str]:
    """Return the commands that go on from here."""
    out, run = (shlex.quote(str(Path(path))) for path in (args.out, args.run))
    if args.to == 'labelstudio':
        return [f'import {out}/tasks.json into Label Studio, with interface.xml as the interface',
                'glip-mm check FOLDER_OF_ITS_JSON_EXPORT']
    if not args.to:
        images = shlex.quote(str(folder))
        return [f'glip-mm review {run} --images {images} --out {run}/review',
                f'glip-mm export-labels {run} --images {images} --to coco --keep-empty --out DIR']
    model = ['--checkpoint', args.checkpoint or args.config]
    model += ['--config', args.config] if args.checkpoint else []
    model += [] if args.val or args.to == 'yolo' else ['--val-fraction', '0.2']
    return [f'glip-mm check {out}', f'glip-mm finetune --data {out} {shlex.join(model)}']


def main() -> None:
    """Label the images."""
    args = make_parser().parse_args()
    args.device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    args.run = Path(args.out)
    if args.to:
        args.run = args.run.with_name(f'{args.run.resolve().name}_labels')
    rank = int(os.environ.get('RANK', 0))
    try:
        args.names = names_of(args)
        if args.names:
            question_of(args, None)  # mistakes are said before anything is written
        counts = label_on_ray(args) if args.engine == 'ray' else label_here(args, rank)
        if not args.names:
            print(', '.join(f'{value} {name}' for name, value in counts.most_common())
                  or 'nothing was left to do', f"-> '{args.run}'")
        if not rank and (args.names or args.to or args.review):
            finish(args)
    except (ImportError, LostShards, OSError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
