"""Write a GLIP checkpoint in another naming.

Reads official, MMDetection's and our checkpoints, with or without ``module.``, in a container or
bare; only plain data is unpickled. The target is written atomically.

    python tools/model_converters/convert_glip.py glip_tiny_model_o365_goldg.pth glip-t.pth
    python tools/model_converters/convert_glip.py work_dirs/run/epoch_12.pth out.pth --to official
"""

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glip_mm_cli.ending import end_clearly
from glip_mm_cli.outputs import check_outputs


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('src', help='checkpoint file, or its address')
    parser.add_argument('dst', type=Path, help='file to write')
    parser.add_argument('--to', choices=['official', 'mmdet', 'ours'], default='ours',
                        help="naming to write (default: %(default)s)")
    parser.add_argument('--ema', action='store_true',
                        help='take the averaged weights; refused if the file has none')
    parser.add_argument('--force', action='store_true', help='overwrite an existing file')
    return parser.parse_args(argv)


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    end_clearly()
    check_outputs(parse_args())

from glip_mm.checkpoints import convert_state_dict, read_checkpoint, write_checkpoint


def packed(state: dict[str, Any], naming: str) -> dict[str, Any]:
    """Put weights into the container that readers of the naming expect.

    Args:
        state: State dict in that naming.
        naming: ``'official'``, ``'mmdet'`` or ``'ours'``.

    Returns:
        The official ``{'model': {'module.<key>': ...}}``, or MMEngine's ``state_dict``.
    """
    if naming == 'official':
        return {'model': {f'module.{key}': value for key, value in state.items()}}
    return {'meta': {}, 'state_dict': dict(state)}


def main(argv: Sequence[str] | None = None) -> int:
    """Convert; return the exit status."""
    args = parse_args(argv)
    if args.dst.exists() and not args.force:
        print(f"'{args.dst}' exists: give another name or --force", file=sys.stderr)
        return 1
    try:
        checkpoint = read_checkpoint(args.src)
        state, report = convert_state_dict(checkpoint, args.to, use_ema=args.ema)
        write_checkpoint(packed(state, args.to), args.dst)
    except (OSError, KeyError, TypeError, ValueError) as error:
        # a KeyError shows its message in quotes
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f'{args.src}: {text}', file=sys.stderr)
        return 1
    digest = hashlib.sha256(args.dst.read_bytes()).hexdigest()
    print(f'{report}\n{args.dst}: {len(state)} entries in {args.to} naming, sha256 {digest[:8]}')
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
