"""Convert COCO-format detection data (COCO, Objects365, V3Det, ODinW, your own) to ODVG lines.

Example:
    python tools/dataset_converters/coco2odvg.py \
        data/coco/annotations/instances_train2017.json -d coco
"""

import argparse
import sys
from pathlib import Path

from glip_mm_cli.ending import end_clearly
from glip_mm_cli.inputs import existing
from glip_mm_cli.outputs import check_outputs

LABEL_MAPS = {'coco': 'coco2017_label_map.json', 'o365v1': 'o365v1_label_map.json',
              'o365v2': 'o365v2_label_map.json', 'v3det': 'v3det_2023_v1_label_map.json'}


def parse_args() -> argparse.Namespace:
    """Parse the command line; options of MMDetection's converter keep their meaning."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('input', type=existing, help='COCO JSON')
    parser.add_argument('--output', '-o', help='file to write (default: INPUT_od.json)')
    parser.add_argument('--dataset', '-d', choices=sorted(LABEL_MAPS),
                        help='a data set with habits of its own: name of its label map, missing '
                             'images, prefixes of file names (default: Objects365 is known by the '
                             'names of its images)')
    parser.add_argument('--label-map', help='label map to write (default: beside the output)')
    parser.add_argument('--drop-crowd', action='store_true',
                        help='leave crowd boxes out; by default they are marked with "ignore": 1, '
                             "which MMDetection's own reader does not look at")
    parser.add_argument('--fix-names', action='store_true',
                        help='with -d o365v2: correct misspelt category names')
    return parser.parse_args()


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    end_clearly()
    check_outputs(parse_args())

from glip_mm.datasets.converters import coco_records
from glip_mm.datasets.converters.command import beside, convert
from glip_mm.datasets.converters.objects365 import PLAIN, V1, V2


def main() -> None:
    """Convert a file."""
    args = parse_args()
    out = Path(args.output) if args.output else beside(args.input, '_od.json')
    label_map = (args.label_map or out.with_name(LABEL_MAPS[args.dataset]) if args.dataset
                 else args.label_map or beside(out, '_label_map.json'))
    if args.fix_names and args.dataset != 'o365v2':
        sys.exit('error: --fix-names knows the names of -d o365v2 only')
    release = {None: None, 'o365v1': V1, 'o365v2': V2 if args.fix_names else V2._replace(names={})
               }.get(args.dataset, PLAIN)
    try:
        records = coco_records(args.input, args.drop_crowd, release)
        print(convert(records, out, label_map))
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
