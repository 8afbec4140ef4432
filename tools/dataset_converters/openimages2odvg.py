"""Convert the boxes of OpenImages (CSV) to ODVG lines.

Example:
    python tools/dataset_converters/openimages2odvg.py --input-dir data/OpenImages/annotations
"""

import argparse
import sys
from pathlib import Path

from glip_mm_cli.ending import end_clearly
from glip_mm_cli.inputs import existing


def parse_args() -> argparse.Namespace:
    """Parse the command line; options of MMDetection's converter keep their meaning."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', nargs='?', type=existing, help='the same as --input-dir')
    parser.add_argument('--input-dir', default='data/OpenImages/annotations',
                        help='folder of the CSV files (default: %(default)s)')
    parser.add_argument('--img-prefix', default='OpenImages/train/',
                        help='folder of the images, beside --input-dir (default: %(default)s)')
    parser.add_argument('--out-ann', '--output', '-o', dest='output', help='file to write '
                        '(default: oidv6-train-annotations_od.json in --input-dir)')
    parser.add_argument('--label-map', help='label map to write (default: '
                        'openimages_label_map.json beside the output)')
    parser.add_argument('--ann-file', default='oidv6-train-annotations-bbox.csv',
                        help='name of the file of boxes (default: %(default)s)')
    parser.add_argument('--class-file', default='class-descriptions-boxable.csv',
                        help='name of the file of classes (default: %(default)s)')
    parser.add_argument('--drop-crowd', action='store_true',
                        help='leave boxes of groups out, instead of marking them to be ignored')
    args = parser.parse_args()
    args.input_dir = args.folder or args.input_dir
    if not Path(args.input_dir).is_dir():
        parser.error(f"--input-dir '{args.input_dir}' is no folder")
    return args


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    end_clearly()
    parse_args()

from glip_mm.datasets.converters import ImageSizes, openimages_records
from glip_mm.datasets.converters.command import convert


def main() -> None:
    """Convert a split. Image sizes are cached, so an interrupted conversion resumes."""
    args = parse_args()
    folder = Path(args.input_dir)
    out = Path(args.output) if args.output else folder / 'oidv6-train-annotations_od.json'
    sizes = ImageSizes(folder.parent / args.img_prefix, out.with_name(f'{out.stem}_sizes.csv'))
    try:
        records = openimages_records(folder / args.ann_file, folder / args.class_file, sizes,
                                     args.drop_crowd)
        print(convert(records, out,
                      args.label_map or out.with_name('openimages_label_map.json'),
                      [folder / args.class_file]))
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    finally:
        sizes.close()


if __name__ == '__main__':
    main()
