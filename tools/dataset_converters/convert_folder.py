"""Convert a folder in any format to ODVG lines or COCO JSON, one file for each split.

The format is recognised, or said with --format. ODVG: OUT/SPLIT.jsonl and
OUT/SPLIT_label_map.json. COCO: OUT/SPLIT.json. Images stay where they are (the last lines say where
file names start from), but for those inside other files: they are written to OUT/images.

Example:
    python tools/dataset_converters/convert_folder.py data/pets --to coco -o data/pets_coco
    python tools/dataset_converters/convert_folder.py data/VOC2007 --to odvg -o data/voc_odvg
"""

import argparse
import json
import sys
from pathlib import Path

from glip_mm_cli.ending import end_clearly
from glip_mm_cli.outputs import check_apart


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=Path, help='the folder, or its annotation file')
    parser.add_argument('--to', choices=['odvg', 'coco'], default='odvg',
                        help='format to write (default: odvg)')
    parser.add_argument('--format', help='name of the format to read (default: it is recognised)')
    parser.add_argument('--split', help='only this split')
    parser.add_argument('--output', '-o', type=Path, required=True, metavar='OUT',
                        help='folder to write to')
    return parser


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    end_clearly()
    make_parser().parse_args()

from glip_mm.atomic_files import write_atomically
from glip_mm.datasets.converters.command import convert
from glip_mm.datasets.data_error import DataError
from glip_mm.datasets.formats import OpenFolder, open_folder
from glip_mm.datasets.formats.records import records_of, unpacked


def write_split(opened: OpenFolder, name: str, to: str, out: Path) -> str:
    """Convert a split; return what was read, written and left out."""
    split, stem = unpacked(opened.splits[name], out / 'images'), name or 'all'
    check_apart(out / f'{stem}.json{"l" * (to == "odvg")}', split.source)
    if to == 'odvg':
        said = convert(records_of(split), out / f'{stem}.jsonl', out / f'{stem}_label_map.json')
    else:
        if split.holds != 'boxes':
            raise DataError(f"'{split.source}' holds {split.holds} and no classes, which COCO JSON "
                            'cannot say: convert it --to odvg')
        content, report = split.read()
        write_atomically(out / f'{stem}.json', json.dumps(content).encode())
        said = f"{report.summary()}\nwrote '{out / stem}.json'"
    return f"{said}\nfile names start from '{split.images}'"


def main() -> None:
    """Convert all splits."""
    args = make_parser().parse_args()
    try:
        opened = open_folder(args.folder, args.format)
        print(opened.describe())
        names = list(opened.splits) if args.split is None else [args.split]
        for name in names:
            if name not in opened.splits:
                raise DataError(f"there is no split '{name}', only "
                                f'{", ".join(map(repr, opened.splits))}')
            print(write_split(opened, name, args.to, args.output))
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
