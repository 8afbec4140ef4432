"""Draw a grounding world: the data of the quickstart, of self-training, or of pictograms.

Example:
    python tools/misc/make_grounding_world.py --out data/grounding_world
    python tools/misc/make_grounding_world.py --kind self_training --out data/self_training_world
    python tools/misc/make_grounding_world.py --kind pictograms --pictograms data/pictograms \
        --photos data/photos
"""

import argparse
import os
import sys

from glip_mm_cli.ending import end_clearly

#: Option -> its description, and its default in each kind of world that has it.
OPTIONS = dict(
    detection=('training images with class boxes', dict(quickstart=3000)),
    grounding=('training images with captions', dict(quickstart=3000)),
    gold=('training images with boxes', dict(self_training=800)),
    gold_detection=('training images with boxes of few names', dict(pictograms=3000)),
    gold_captions=('training images with captions and boxes', dict(pictograms=600)),
    pool=('training images with captions alone', dict(self_training=8000, pictograms=6000)),
    val=('validation images', dict(quickstart=60, self_training=60, pictograms=100)),
    test=('test images', dict(quickstart=300, self_training=300, pictograms=200)),
    long_tail=('test images with 512 names', dict(quickstart=300)),
    side=('width and height of the images in pixels',
          dict(quickstart=160, self_training=160, pictograms=224)),
    seed=('same options and seed, same bytes',
          dict(quickstart=0, self_training=0, pictograms=0)))
#: Options that are folders -> their description.
FOLDERS = dict(pictograms='folder that python -m dev.pictograms made (kind pictograms)',
               photos='photos for backgrounds; default: textures alone (kind pictograms)')


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--kind', choices=['quickstart', 'self_training', 'pictograms'],
                        default='quickstart')
    parser.add_argument('--out', help='folder to write to (default: data/grounding_world, '
                        'data/self_training_world or data/pictogram_world)')
    for name, text in FOLDERS.items():
        parser.add_argument(f'--{name}', metavar='FOLDER', help=text)
    for name, (text, defaults) in OPTIONS.items():
        values = ', '.join(f'{kind} {value}' for kind, value in defaults.items())
        parser.add_argument(f"--{name.replace('_', '-')}", type=int,
                            help=f'{text} (default: {values})')
    parser.add_argument('--workers', type=int, default=0, help='processes; 0: one per core')
    args = parser.parse_args()
    args.options = {name: value for name in (*OPTIONS, *FOLDERS)
                    if (value := getattr(args, name)) is not None}
    for name, value in args.options.items():
        if name in OPTIONS and value < (name == 'side'):
            parser.error(f"--{name.replace('_', '-')} {value} is too small")
    known = [name for name, (_, defaults) in OPTIONS.items() if args.kind in defaults]
    known += FOLDERS if args.kind == 'pictograms' else []
    strange = set(args.options) - set(known)
    if strange:
        parser.error(f"--kind {args.kind} has no {', '.join(sorted(strange))}; it has "
                     f"{', '.join(known)}")
    if args.kind == 'pictograms' and not args.pictograms:
        parser.error('--kind pictograms needs --pictograms FOLDER; python -m dev.pictograms makes '
                     'one')
    if args.photos and not os.path.isdir(args.photos):
        parser.error(f"--photos '{args.photos}' is no folder")
    args.out = args.out or dict(quickstart='data/grounding_world',
                                pictograms='data/pictogram_world').get(
        args.kind, f'data/{args.kind}_world')
    return args


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    end_clearly()
    parse_args()

from glip_mm.datasets.grounding_world import SelfTrainingOptions, WorldOptions, write_world
from glip_mm.datasets.pictogram_world import PictogramOptions


def main() -> None:
    """Write the world, unless it is complete."""
    args = parse_args()
    kind = dict(quickstart=WorldOptions, self_training=SelfTrainingOptions,
                pictograms=PictogramOptions)[args.kind]
    options = kind(**args.options)
    try:
        made = write_world(args.out, options, args.workers)
    except ValueError as error:
        sys.exit(f'error: {error}')
    print(f"{'wrote' if made else 'found'} {sum(options.counts.values())} images in '{args.out}'")


if __name__ == '__main__':
    main()
