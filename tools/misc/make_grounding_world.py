"""Draw a grounding world: the small data set of the quickstart, or that of self-training.

Example:
    python tools/misc/make_grounding_world.py --out data/grounding_world
    python tools/misc/make_grounding_world.py --kind self_training --out data/self_training_world
"""

import argparse
import sys

from glip_mm.datasets.grounding_world import SelfTrainingOptions, WorldOptions, write_world

KINDS = dict(quickstart=WorldOptions, self_training=SelfTrainingOptions)
HELPS = dict(
    detection='training images with class boxes', grounding='training images with captions',
    gold='training images with boxes', pool='training images with captions alone',
    val='validation images', test='test images', long_tail='test images with 512 names',
    side='width and height of the images in pixels', seed='same options and seed, same bytes')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--kind', choices=KINDS, default='quickstart')
    parser.add_argument('--out', help='folder to write to (default: data/grounding_world or '
                        'data/self_training_world)')
    for name, text in HELPS.items():
        defaults = [f'{kind} {options._field_defaults[name]}' for kind, options in KINDS.items()
                    if name in options._fields]
        parser.add_argument(f"--{name.replace('_', '-')}", type=int,
                            help=f"{text} (default: {', '.join(defaults)})")
    parser.add_argument('--workers', type=int, default=0, help='processes; 0: one per core')
    args = parser.parse_args()
    args.options = {name: value for name in HELPS if (value := getattr(args, name)) is not None}
    strange = set(args.options) - set(KINDS[args.kind]._fields)
    if strange:
        parser.error(f"--kind {args.kind} has no {', '.join(sorted(strange))}; it has "
                     f"{', '.join(KINDS[args.kind]._fields)}")
    args.out = args.out or ('data/grounding_world' if args.kind == 'quickstart'
                            else f'data/{args.kind}_world')
    return args


def main() -> None:
    """Write the world; does nothing where it is complete."""
    args = parse_args()
    options = KINDS[args.kind](**args.options)
    try:
        made = write_world(args.out, options, args.workers)
    except ValueError as error:
        sys.exit(f'error: {error}')
    print(f"{'wrote' if made else 'found'} {sum(options.counts.values())} images in '{args.out}'")


if __name__ == '__main__':
    main()
