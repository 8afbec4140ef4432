"""Convert LVIS annotations to ODVG lines.

Example:
    python tools/dataset_converters/lvis2odvg.py data/coco/annotations/lvis_v1_train.json
"""

import argparse
import sys
from pathlib import Path

from glip_mm_cli.ending import end_clearly
from glip_mm_cli.inputs import existing
from glip_mm_cli.outputs import check_outputs


def parse_args() -> argparse.Namespace:
    """Parse the command line; options of MMDetection's converter keep their meaning."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('input', type=existing, help='LVIS JSON')
    parser.add_argument('--output', '-o', help='file to write (default: INPUT_od.json)')
    parser.add_argument('--label-map', help='label map to write (default: lvis_v1_label_map.json '
                                            'beside the output)')
    parser.add_argument('--drop-crowd', action='store_true',
                        help='leave boxes out that are to be ignored, instead of marking them')
    return parser.parse_args()


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    end_clearly()
    check_outputs(parse_args())

from glip_mm.datasets.converters import lvis_records
from glip_mm.datasets.converters.command import beside, convert


def main() -> None:
    """Convert a file."""
    args = parse_args()
    out = Path(args.output) if args.output else beside(args.input, '_od.json')
    try:
        print(convert(lvis_records(args.input, args.drop_crowd), out,
                      args.label_map or out.with_name('lvis_v1_label_map.json')))
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
