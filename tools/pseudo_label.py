"""Label captioned images with a teacher: noun phrases, their boxes and scores.

--data is a tar shard as img2dataset writes it or a folder of them, a .jsonl, .csv or .tsv file with
columns "filename" and "caption", or a folder of images with .txt files beside them. The labels are
ODVG rows (tar shards for tar shards) in DIR/labels, which GroundingDataset reads as they are:
ann_file='DIR/labels/*.jsonl', or format='tar' and 'DIR/labels/*.tar'. Interrupted, the same command
goes on; several processes (torchrun) or the actors of a Ray cluster (--engine ray) share the work,
each shard is labelled once.

Example:
    python tools/pseudo_label.py configs/self_training/glip_nano_teacher.py teacher.pth \\
        --data data/self_training_world/annotations/pool.jsonl \\
        --images data/self_training_world/images --out work_dirs/labels --no-determiners
    torchrun --nproc-per-node 8 tools/pseudo_label.py CONFIG CHECKPOINT --data SHARDS --out DIR
    python tools/pseudo_label.py CONFIG CHECKPOINT --data SHARDS --out DIR --engine ray --actors 1:8
"""

import argparse
import os
import sys
from collections import Counter
from functools import partial
from pathlib import Path

from glip_mm_cli.options import parse_early


def share(text: str) -> float:
    """Read a score or an IoU; from a threshold of 1 on nothing would be labelled, after hours."""
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f'{text} must be from 0 to below 1')
    return value


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config of the teacher')
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument('--data', required=True, help='captioned images, see above')
    parser.add_argument('--images', help='folder that the files of rows start from (default: that '
                        'of --data)')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder for the labels')
    parser.add_argument('--threshold', type=share, default=0.5,
                        help='boxes must score more (default: 0.5, as published)')
    parser.add_argument('--top-k', type=int, default=0,
                        help='most boxes of a phrase (default: all)')
    parser.add_argument('--nms', type=float, default=0.6, help='IoU above which a better box of '
                        'the same phrase suppresses another (default: 0.6)')
    parser.add_argument('--min-size', type=float, default=1., help='least width and height of a '
                        'box in pixels (default: 1)')
    parser.add_argument('--cross-nms', type=share, default=0., metavar='IOU',
                        help='IoU above which a box goes to the best phrase alone (default: '
                        'phrases may share boxes)')
    parser.add_argument('--counts', action='store_true', help='no more boxes than the caption '
                        'says: one for "a dog", two for "two dogs"')
    parser.add_argument('--parser', default='auto', choices=['auto', 'spacy', 'textblob'],
                        help='what tags the words of captions (default: the first that is there)')
    parser.add_argument('--grammar', default='published', choices=['published', 'chunks'],
                        help='published: determiner, adjectives, nouns (default); chunks: those of '
                        'the parser')
    parser.add_argument('--no-determiners', action='store_true',
                        help='ask for "dog" where the caption says "a dog"')
    parser.add_argument('--batch-size', type=int, default=8)
    parser.add_argument('--shard-size', type=int, default=1000,
                        help='samples of a shard, except of tar shards (default: 1000)')
    parser.add_argument('--dtype', choices=['bfloat16', 'float16'], help='of autocast')
    parser.add_argument('--device', help='default: cuda if there is one, else cpu')
    parser.add_argument('--workers', type=int, default=2, help='threads that decode images')
    parser.add_argument('--engine', choices=['processes', 'ray'], default='processes',
                        help='processes: this one, with those that torchrun or you start beside '
                        'it (default); ray: actors, one a GPU, that come and go')
    parser.add_argument('--actors', default='1:', metavar='MIN[:[MAX]]', help='of Ray: how many; '
                        '"4" is always four (default: from one to what the cluster has room for)')
    parser.add_argument('--ray-address', help='of a running cluster, "auto" for one of this '
                        'machine (default: start one here for this run)')
    return parser


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    parse_early(make_parser())

import torch
from mmengine.registry import init_default_scope

from glip_mm.apis.building import build_model, resolve_model
from glip_mm.apis.images import ImagePipeline
from glip_mm.compat import apply_all
from glip_mm.pseudo_labels import (
    BoxSelection,
    LabelSettings,
    LostShards,
    Teacher,
    find_shards,
    label,
)
from glip_mm.pseudo_labels.ray_engine import Actors, label_with_ray
from glip_mm.pseudo_labels.settings import check_settings
from glip_mm.text import NounPhraseFinder


def build_teacher(args: argparse.Namespace, device: str) -> Teacher:
    """Build the model, after a check that the folder was begun with the same settings."""
    apply_all()
    finder = NounPhraseFinder(args.parser, args.grammar)
    settings = LabelSettings(
        BoxSelection(args.threshold, args.top_k, args.nms, args.min_size, args.cross_nms,
                     args.counts),
        args.batch_size, args.dtype, not args.no_determiners, finder.version)
    config, weights = resolve_model(args.config, args.checkpoint)
    init_default_scope(config.get('default_scope', 'glip_mm'))
    model = build_model(config, weights)
    check_settings(Path(args.out), settings.facts(model, config))
    return Teacher(model.to(device), ImagePipeline(config), settings.selection,
                   args.dtype, finder, settings.determiners)


def label_on_ray(args: argparse.Namespace) -> Counter:
    """Label with Ray actors, after all checks in this process."""
    for name in ('config', 'checkpoint', 'data', 'images', 'out'):
        path = getattr(args, name)
        if path and (name == 'out' or os.path.exists(path)):
            setattr(args, name, os.path.abspath(path))  # actors may work in another folder
    actors = Actors.parse(args.actors)
    shards = find_shards(args.data, args.out, args.images, args.shard_size)
    build_teacher(args, 'cpu')
    return label_with_ray(
        shards, partial(build_teacher, args, args.device), args.out, args.batch_size,
        args.workers, actors, args.device.startswith('cuda'), args.ray_address)


def main() -> None:
    """Label the images."""
    args = make_parser().parse_args()
    args.device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    rank, world_size = (int(os.environ.get(k, d)) for k, d in (('RANK', 0), ('WORLD_SIZE', 1)))
    device = args.device
    if device == 'cuda':
        device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
    try:
        if args.engine == 'ray':
            counts = label_on_ray(args)
        else:
            shards = find_shards(args.data, args.out, args.images, args.shard_size)
            counts = label(shards, build_teacher(args, device), args.out, args.batch_size,
                           args.workers, rank, world_size)
    except (ImportError, LostShards, OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(', '.join(f'{value} {name}' for name, value in counts.most_common())
          or 'nothing was left to do', f"-> '{args.out}'")


if __name__ == '__main__':
    main()
