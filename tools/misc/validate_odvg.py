"""Check a file of ODVG lines: name file, line, field and remedy of every fault.

Exit status 1 if there is a fault.

Example:
    python tools/misc/validate_odvg.py data/coco/annotations/instances_train2017_od.json \
        --label-map data/coco/annotations/coco2017_label_map.json --image-root data/coco/train2017
"""

import argparse
import os
import sys

from glip_mm_cli.ending import end_clearly
from glip_mm_cli.inputs import existing


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('file', nargs='+', type=existing, help='JSON lines')
    parser.add_argument('--label-map', help='label map of detection data')
    parser.add_argument('--image-root', help='folder of the images: each must be there')
    parser.add_argument('--check-images', action='store_true',
                        help='decode every image and compare its size (slow)')
    parser.add_argument('--strict', action='store_true', help='stop at the first fault')
    parser.add_argument('--max-errors', type=int, default=50,
                        help='faults to show; all are counted (default: %(default)s)')
    parser.add_argument('--allow-duplicates', action='store_true', help='rows may repeat')
    parser.add_argument('--workers', type=int, default=os.cpu_count() or 1,
                        help='processes (default: one a core)')
    return parser.parse_args()


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    end_clearly()
    parse_args()

from glip_mm.datasets.validation import validate_odvg


def main() -> int:
    """Check all files."""
    args = parse_args()
    status = 0
    for file in args.file:
        try:
            found = validate_odvg(file, args.label_map, args.image_root, args.check_images,
                                  args.strict, args.max_errors, args.allow_duplicates,
                                  args.workers)
        except (OSError, ValueError) as error:
            sys.exit(f'error: {error}')
        for fault in found.faults:
            print(fault)
        print(found.summary())
        if not found.ok:
            status = 1
            if args.strict:
                break
    return status


if __name__ == '__main__':
    sys.exit(main())
