"""Convert RefCOCO, RefCOCO+, RefCOCOg and gRefCOCO, as MDETR prepared them, to ODVG lines.

Example:
    python tools/dataset_converters/refcoco2odvg.py data/coco/mdetr_annotations
"""

import argparse
import sys
from pathlib import Path

from glip_mm_cli.ending import end_clearly
from glip_mm_cli.inputs import existing

FILES = tuple(f'finetune_{name}_train.json'
              for name in ('refcoco', 'refcoco+', 'refcocog', 'grefcoco'))


def parse_args() -> argparse.Namespace:
    """Parse the command line; options of MMDetection's converter keep their meaning."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('mdetr_anno_dir', type=existing, help='folder of the MDETR annotations')
    parser.add_argument('--out-dir', '-o', help='folder to write to (default: the same)')
    parser.add_argument('--files', nargs='+', default=FILES,
                        help='names of the files; those that are missing are passed over '
                             f'(default: {" ".join(FILES)})')
    return parser.parse_args()


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    end_clearly()
    parse_args()

from glip_mm.datasets.converters import mdetr_records
from glip_mm.datasets.converters.command import beside, convert


def main() -> None:
    """Convert the existing files."""
    args = parse_args()
    paths = [Path(args.mdetr_anno_dir, name) for name in args.files]
    there = [path for path in paths if path.is_file()]
    if not there:
        sys.exit(f"error: none of {list(args.files)} is in '{args.mdetr_anno_dir}'")
    for path in paths:
        if path not in there:
            print(f"'{path}' is missing: passed over")
            continue
        out = Path(args.out_dir or path.parent, beside(path, '_vg.json').name)
        try:
            print(convert(mdetr_records(path, 'refcoco'), out, read=there))
        except (OSError, ValueError) as error:
            sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
