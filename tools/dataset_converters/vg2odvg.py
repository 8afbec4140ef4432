"""Convert the objects of Visual Genome to ODVG lines; frequent names become the classes.

Example:
    python tools/dataset_converters/vg2odvg.py data/visual_genome \
        -o data/visual_genome/vg_train_odvg.jsonl
"""

import argparse
import sys
from pathlib import Path

from glip_mm_cli.ending import end_clearly
from glip_mm_cli.inputs import existing


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=existing, help='folder of objects.json and image_data.json')
    parser.add_argument('--min-boxes', type=int, default=100,
                        help='a name needs so many boxes to be a class (default: %(default)s)')
    parser.add_argument('--output', '-o',
                        help='file to write (default: FOLDER/vg_train_odvg.jsonl)')
    parser.add_argument('--label-map', help='label map to write (default: vg_label_map.json '
                                            'beside the output)')
    return parser.parse_args()


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    end_clearly()
    parse_args()

from glip_mm.datasets.converters import visual_genome_records
from glip_mm.datasets.converters.command import convert


def main() -> None:
    """Convert a folder."""
    args = parse_args()
    folder = Path(args.folder)
    out = Path(args.output or folder / 'vg_train_odvg.jsonl')
    try:
        records = visual_genome_records(folder / 'objects.json', folder / 'image_data.json',
                                        args.min_boxes)
        print(convert(records, out, args.label_map or out.with_name('vg_label_map.json'),
                      [folder / 'image_data.json']))
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
