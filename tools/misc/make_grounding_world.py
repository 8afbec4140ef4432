"""Draw the grounding world: the small data set of the quickstart.

Example:
    python tools/misc/make_grounding_world.py --out data/grounding_world
"""

import argparse
import sys

from glip_mm.datasets.grounding_world import WorldOptions, write_world


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', default='data/grounding_world', help='folder to write to')
    default = WorldOptions()
    helps = dict(detection='training images with class boxes',
                 grounding='training images with captions', val='validation images',
                 test='test images', long_tail='test images with 512 names',
                 side='width and height of the images in pixels',
                 seed='same options and seed, same bytes')
    for name, text in helps.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=getattr(default, name),
                            help=f'{text} (default: {getattr(default, name)})')
    parser.add_argument('--workers', type=int, default=0, help='processes; 0: one per core')
    return parser.parse_args()


def main() -> None:
    """Write the world; does nothing where it is complete."""
    args = parse_args()
    options = WorldOptions(**{name: getattr(args, name) for name in WorldOptions._fields})
    try:
        made = write_world(args.out, options, args.workers)
    except ValueError as error:
        sys.exit(f'error: {error}')
    print(f"{'wrote' if made else 'found'} {sum(options.counts.values())} images in '{args.out}'")


if __name__ == '__main__':
    main()
