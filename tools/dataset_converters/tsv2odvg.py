"""Convert a TSV bundle of the official release (Objects365, captions with boxes) to ODVG lines.

Data sets read bundles in place as well; conversion is for other programs and for inspection.

Example:
    python tools/dataset_converters/tsv2odvg.py \
        data/Objects365/objects365_train_vgoiv6.cas2000.yaml -o data/Objects365/train_od.json
"""

import argparse
import sys
from pathlib import Path

from glip_mm_cli.ending import end_clearly
from glip_mm_cli.inputs import existing
from glip_mm_cli.outputs import check_outputs


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('input', type=existing, help='YAML file of the bundle')
    parser.add_argument('--output', '-o', help='file to write (default: INPUT_odvg.json)')
    parser.add_argument('--label-map', help='label map to write (default: beside the output)')
    parser.add_argument('--write-images', metavar='FOLDER',
                        help='write the images of the bundle to this folder; goes on where it was '
                             'stopped (default: images are files already)')
    parser.add_argument('--pattern', default='{key}.jpg',
                        help='file name of an image by the key of its row (default: %(default)s)')
    parser.add_argument('--all-rows', action='store_true',
                        help='every row once, instead of the line list that repeats rare classes')
    parser.add_argument('--half-open', action='store_true',
                        help='x2 and y2 of the bundle are the first pixels outside the box; the '
                             'published code takes them as the last inside')
    return parser.parse_args()


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    end_clearly()
    check_outputs(parse_args())

from glip_mm.datasets.converters import tsv_records
from glip_mm.datasets.converters.command import beside, convert


def main() -> None:
    """Convert a bundle."""
    args = parse_args()
    out = Path(args.output) if args.output else beside(args.input, '_odvg.json')
    try:
        records = tsv_records(args.input, args.pattern, args.write_images, not args.all_rows,
                              args.half_open)
        print(convert(records, out, args.label_map or beside(out, '_label_map.json'),
                      [args.input]))
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
