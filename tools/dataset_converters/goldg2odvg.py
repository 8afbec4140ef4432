"""Convert MDETR-style grounding data (Flickr30k separateGT, GoldG's mixed set) to ODVG lines.

Example:
    python tools/dataset_converters/goldg2odvg.py data/gqa/final_mixed_train_no_coco.json
    python tools/dataset_converters/goldg2odvg.py data/mdetr_annotations/final_mixed_train.json \
        --coco-prefix coco/train2014 --vg-prefix gqa/images
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
    parser.add_argument('input', type=existing, help='MDETR JSON')
    parser.add_argument('--out-ann', '--output', '-o', dest='output',
                        help='file to write (default: INPUT_vg.json)')
    parser.add_argument('--coco-prefix', default='',
                        help='folder to put before the names of images that are from COCO')
    parser.add_argument('--vg-prefix', default='',
                        help='folder to put before the names of all other images')
    parser.add_argument('--only', choices=('coco', 'vg'),
                        help='keep the images of one source: all of them then lie in one folder')
    return parser.parse_args()


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    end_clearly()
    check_outputs(parse_args())

from glip_mm.datasets.converters import mdetr_records
from glip_mm.datasets.converters.command import beside, convert


def main() -> None:
    """Convert a file."""
    args = parse_args()
    out = Path(args.output) if args.output else beside(args.input, '_vg.json')
    try:
        print(convert(mdetr_records(args.input, 'goldg', dict(coco=args.coco_prefix,
                                                              vg=args.vg_prefix), args.only), out))
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
