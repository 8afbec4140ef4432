"""Convert PhraseCut, as MDETR prepared it, to ODVG lines.

Example:
    python tools/dataset_converters/phrasecut2odvg.py \
        data/mdetr_annotations/finetune_phrasecut_train.json
"""

import argparse
import sys
from pathlib import Path

from glip_mm_cli.ending import end_clearly
from glip_mm_cli.inputs import existing
from glip_mm_cli.outputs import check_outputs


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('input', type=existing, help='MDETR JSON')
    parser.add_argument('--out-ann', '--output', '-o', dest='output',
                        help='file to write (default: INPUT_vg.json)')
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
        print(convert(mdetr_records(args.input, 'phrasecut'), out))
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
