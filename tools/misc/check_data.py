"""Check data before a training: a folder or annotation file in any format, or ODVG lines.

Prints what it was recognised as and why, splits, classes with counts, what is changed or left out
and why, images that are missing, broken, or in two splits; draws a contact sheet. Exit status 1 if
there is a fault.

Example:
    python tools/misc/check_data.py data/raccoon
    python tools/misc/check_data.py data/coco/annotations/instances_val2017.json
    python tools/misc/check_data.py data/coco/annotations/instances_train2017_od.jsonl
"""

import argparse
import sys
from pathlib import Path

from glip_mm_cli.ending import end_clearly
from glip_mm_cli.inputs import existing
from glip_mm_cli.outputs import check_apart


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('paths', nargs='+', metavar='PATH', type=lambda text: Path(existing(text)),
                        help='a folder, its annotation file, or ODVG lines')
    parser.add_argument('--format', help='name of the format, such as coco, yolo or voc (default: '
                        'it is recognised)')
    parser.add_argument('--sheet', metavar='FILE', help='contact sheet to draw (default: '
                        'work_dirs/check/NAME.jpg; "none" draws none)')
    parser.add_argument('--label-map', help='label map of ODVG detection data')
    parser.add_argument('--image-root', help='folder of the images of ODVG lines: each must be '
                        'there')
    parser.add_argument('--allow-duplicates', action='store_true', help='rows of ODVG lines may '
                        'repeat')
    return parser


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    end_clearly()
    make_parser().parse_args()

from glip_mm.datasets.validation import validate_odvg
from glip_mm.evaluation.preflight.findings import Findings
from glip_mm.finetuning.folder_check import check_folder


def is_odvg(path: Path) -> bool:
    """Return whether a file holds ODVG lines rather than one object."""
    with open(path, encoding='utf-8-sig', errors='replace') as file:
        first = file.readline(1 << 20)
    return path.suffix == '.jsonl' or ('"grounding"' in first or '"detection"' in first
                                       ) and '"images"' not in first


def check_odvg(path: Path, args: argparse.Namespace) -> Findings:
    """Find the faults of an ODVG file."""
    found = validate_odvg(str(path), args.label_map, args.image_root,
                          allow_duplicates=args.allow_duplicates)
    return Findings([str(fault) for fault in found.faults], notes=[found.summary()])


def check(path: Path, args: argparse.Namespace) -> Findings:
    """Find the faults of a path."""
    if path.is_file() and args.format is None and is_odvg(path):
        return check_odvg(path, args)
    sheet = args.sheet or Path('work_dirs/check') / f'{path.resolve().stem}.jpg'
    if args.sheet == 'none':
        return check_folder(path, args.format, None)
    check_apart(sheet, path)
    return check_folder(path, args.format, sheet)


def main() -> int:
    """Check all paths."""
    args = make_parser().parse_args()
    status = 0
    for path in args.paths:
        try:
            found = check(path, args)
        except (OSError, ValueError) as error:
            found = Findings([str(error)])
        for kind, lines in (('', found.notes), ('warning: ', found.warnings),
                            ('error: ', found.errors)):
            for line in dict.fromkeys(lines):
                print(f'{kind}{line}\n' if '\n' in line else f'{kind}{line}')
        status |= bool(found.errors)
    return status


if __name__ == '__main__':
    sys.exit(main())
