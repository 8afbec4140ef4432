"""Convert VOC XML annotations (PASCAL VOC, labelling tools, ImageNet boxes) to ODVG lines.

Example:
    python tools/dataset_converters/voc2odvg.py data/VOCdevkit/VOC2012 --split trainval --voc
    python tools/dataset_converters/voc2odvg.py data/imagenet/Annotations/CLS-LOC/train \
        --suffix .JPEG --synsets data/imagenet/LOC_synset_mapping.txt -o data/imagenet/train_od.json
"""

import argparse
import sys
from pathlib import Path

from glip_mm_cli.ending import end_clearly
from glip_mm_cli.inputs import existing


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=existing,
                        help="folder with 'Annotations' in it, or of XML files")
    parser.add_argument('--split', help='list in ImageSets/Main, such as trainval (default: all)')
    names = parser.add_mutually_exclusive_group()
    names.add_argument('--voc', action='store_true', help='the 20 classes of PASCAL VOC')
    names.add_argument('--classes', help='file of class names, one a line, in label order '
                                         '(default: the names found, sorted)')
    names.add_argument('--synsets', help='file of lines "id name, other name", as of ImageNet')
    parser.add_argument('--suffix', help='the image has the path of its XML file with this suffix '
                                         '(default: it is what the XML file says)')
    parser.add_argument('--image-folder', default='', help='goes before every file name')
    parser.add_argument('--zero-based', action='store_true',
                        help='the first pixel is 0; in PASCAL VOC it is 1')
    parser.add_argument('--output', '-o', help='file to write (default: FOLDER/SPLIT_od.json)')
    parser.add_argument('--label-map', help='label map to write (default: beside the output)')
    return parser.parse_args()


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    end_clearly()
    parse_args()

from glip_mm.datasets.converters import voc_records
from glip_mm.datasets.converters.command import convert
from glip_mm.datasets.converters.voc import VOC_CLASSES, read_classes


def main() -> None:
    """Convert a folder."""
    args = parse_args()
    out = Path(args.output or Path(args.folder) / f"{args.split or 'all'}_od.json")
    try:
        classes = {name: name for name in VOC_CLASSES} if args.voc else None
        if args.classes or args.synsets:
            classes = read_classes(args.classes or args.synsets, synsets=bool(args.synsets))
        records = voc_records(args.folder, args.split, classes, args.suffix, args.image_folder,
                              0 if args.zero_based else 1)
        print(convert(records, out, args.label_map or out.with_name(f'{out.stem}_label_map.json'),
                      [path for path in (args.classes, args.synsets) if path]))
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
