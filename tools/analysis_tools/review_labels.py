"""Review labels of tools/pseudo_label.py, or other ODVG rows: a random sample, and statistics.

Writes index.html (a self-contained page), contact_sheet.png, summary.json and figures/.

Example:
    python tools/analysis_tools/review_labels.py work_dirs/labels \\
        --images data/self_training_world/images --out work_dirs/labels_review
"""

import argparse
import sys

from glip_mm_cli.ending import end_clearly
from glip_mm_cli.inputs import existing


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('labels', metavar='LABELS', type=existing, help='folder of a run, a '
                        'folder of .jsonl or .tar files, or one such file')
    parser.add_argument('--images', metavar='DIR', help='folder that file names start from; '
                        'shards hold their images')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder for the page')
    parser.add_argument('--samples', type=int, default=48, metavar='N',
                        help='images to show (default: 48)')
    parser.add_argument('--seed', type=int, default=0, help='of their choice (default: 0)')
    parser.add_argument('--label-map', metavar='FILE', help='JSON of label and name, for detection '
                        'rows without categories')
    return parser


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    end_clearly()
    make_parser().parse_args()

from glip_mm.datasets.label_map import read_label_map
from glip_mm.pseudo_labels.review import make_review


def main() -> None:
    """Write the review."""
    args = make_parser().parse_args()
    try:
        page = make_review(args.labels, args.images, args.out, args.samples, args.seed,
                           args.label_map and read_label_map(args.label_map))
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(f'review: {page}')


if __name__ == '__main__':
    main()
