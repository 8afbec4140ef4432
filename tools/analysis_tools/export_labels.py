"""Export labels of tools/pseudo_label.py, or other ODVG rows, to the formats of other tools.

coco: annotations.json (pycocotools, CVAT); yolo: data.yaml and text files; voc: XML files;
labelstudio: tasks with predictions and the interface for them; odvg: ODVG with the selection only.
Phrases become categories: "a Dog" and "dog" are one.

Example:
    python tools/analysis_tools/export_labels.py work_dirs/labels --to coco --out work_dirs/coco
    python tools/analysis_tools/export_labels.py work_dirs/labels --to yolo --images data/images \\
        --min-score 0.6 --classes 'dog: puppy, * dog' cat --out work_dirs/yolo
"""

import argparse
import sys
from pathlib import Path

from glip_mm_cli.ending import end_clearly
from glip_mm_cli.inputs import existing
from glip_mm_cli.labelling_options import FORMATS, share


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('labels', metavar='LABELS', type=existing, help='folder of a run, a '
                        'folder of .jsonl or .tar files, or one such file')
    parser.add_argument('--to', required=True, help='format',
                        choices=FORMATS)
    parser.add_argument('--out', required=True, metavar='DIR', help='new folder for the result')
    parser.add_argument('--images', type=Path, metavar='DIR', help='folder that file names start '
                        'from; coco and odvg do without, shards hold their images')
    parser.add_argument('--min-score', type=float, default=0., metavar='SCORE',
                        help='leave out boxes that score less (default: 0)')
    parser.add_argument('--classes', nargs='+', metavar='NAME', help='categories to keep, or a '
                        'file with one a line: "name" or "name: other phrase, * pattern" '
                        '(default: every phrase)')
    parser.add_argument('--min-count', type=int, default=1, metavar='N',
                        help='leave out categories with fewer boxes (default: 1)')
    parser.add_argument('--merge-iou', type=float, default=0.6, metavar='IOU', help='boxes of '
                        'several phrases of one category are one above this (default: 0.6)')
    parser.add_argument('--label-map', metavar='FILE', help='JSON of label and name, for detection '
                        'rows without categories')
    parser.add_argument('--images-as', choices=['link', 'copy', 'none'], default='', help='how '
                        'the result gets the images (default: a link to their folder for yolo and '
                        'voc, none for others)')
    parser.add_argument('--keep-empty', action='store_true', help='export images without boxes, '
                        'too')
    parser.add_argument('--val', type=share, default=0., metavar='SHARE', help='share of the '
                        'images that become the val split (default: no split)')
    parser.add_argument('--seed', type=int, default=0, help='of the split (default: 0)')
    parser.add_argument('--image-url', default='', metavar='URL', help='what Label Studio calls '
                        'the folder of the images (default: its local files)')
    return parser


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    end_clearly()
    make_parser().parse_args()

from glip_mm.datasets.label_map import read_label_map
from glip_mm.pseudo_labels.export import ClassList, Collection, export_labels
from glip_mm.pseudo_labels.label_rows import LabelRows


def main() -> None:
    """Export the labels."""
    args = make_parser().parse_args()
    try:
        if Path(args.out).exists():
            raise FileExistsError(f"'{args.out}' is there already; delete it, or choose another "
                                  '--out')
        classes = ClassList.from_arguments(args.classes) if args.classes else None
        collection = Collection(
            LabelRows(args.labels, args.label_map and read_label_map(args.label_map)),
            args.images, args.min_score,
            classes, args.min_count, args.merge_iou, args.image_url, args.keep_empty, args.val,
            args.seed, args.images_as)
        images, boxes = export_labels(collection, args.to, args.out)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    dropped = ', '.join(f'{count:,} {cause}' for cause, count in collection.counts.items()
                        if cause not in ('rows', 'boxes'))
    print(f"{images:,} images, {boxes:,} boxes of {len(collection.categories):,} categories "
          f"-> '{args.out}'" + (f'; left out: {dropped}' if dropped else ''))


if __name__ == '__main__':
    main()
