"""Export a detector of a fixed vocabulary, which maps an image to boxes without text input.

The result is compared with the original before anything is written. See docs/deployment.md.

Examples:
    # any image size, NMS included
    python tools/export.py configs/glip/glip_swin-t_o365-goldg.py FILE.pth \\
        --text 'cat. dog. remote control' --out pets.onnx --dynamic --nms --check kitchen.jpg

    # one size, candidates before NMS, names from a file with one per line
    python tools/export.py CONFIG FILE.pth --classes-file names.txt --out names.onnx \\
        --size 640 640
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from glip_mm_cli.options import parse_early


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file or name of the model index')
    parser.add_argument('checkpoint', nargs='?',
                        help='checkpoint; default: the one the model index names')
    words = parser.add_mutually_exclusive_group(required=True)
    words.add_argument('--text', help="names separated by '. '; or '$: coco', the classes of a "
                       'data set')
    words.add_argument('--classes-file', type=Path, metavar='FILE', help='names, one a line')
    words.add_argument('--caption', help='a caption, whose noun phrases are found')
    parser.add_argument('--out', type=Path, required=True, help='file to write')
    parser.add_argument('--format', default='onnx',
                        help='onnx, torch-export or aot (default: %(default)s)')
    parser.add_argument('--size', type=int, nargs=2, default=(800, 1344), metavar=('H', 'W'),
                        help='height and width of the input (default: 800 1344)')
    parser.add_argument('--dynamic', action='store_true', help='take images of any size')
    parser.add_argument('--nms', action='store_true',
                        help='suppress inside; else candidates are the output')
    parser.add_argument('--no-normalize', action='store_true',
                        help='take normalised pixels; else raw ones, 0 to 255')
    parser.add_argument('--rgb', action='store_true', help='take RGB; else BGR')
    parser.add_argument('--chunked-size', '-s', type=int,
                        help='names in one prompt; -1: as many as the language model takes; '
                        "default: the config's")
    parser.add_argument('--score-thr', type=float, help="default: the config's")
    parser.add_argument('--check', action='append', default=[], metavar='IMAGE',
                        help='compare on this image (may be repeated); default: on a drawn one')
    parser.add_argument('--no-check', action='store_true', help='write without comparing')
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Export; return the exit status."""
    args = parse_early(make_parser(), argv=argv)
    try:
        return export_file(args)
    except (ImportError, OSError, RuntimeError, TypeError, ValueError) as error:
        print(f'export.py: {error}', file=sys.stderr)
        return 1


def export_file(args: argparse.Namespace) -> int:
    """Export and report."""
    from glip_mm.apis import export_model
    from glip_mm.deploy import FORMATS
    from glip_mm.text.names import read_names

    if args.format not in FORMATS:  # before the model is built
        raise ValueError(f"--format '{args.format}' is unknown: choose one of {', '.join(FORMATS)}")
    if not (args.classes_file or (args.text or args.caption or '').strip()):
        raise ValueError('--text or --caption is empty: say what to look for')
    if args.classes_file:
        texts = read_names(args.classes_file)
    else:
        texts = args.text or args.caption
    changes = dict(score_thr=args.score_thr, chunked_size=args.chunked_size)
    differences = export_model(
        args.config, args.checkpoint, texts, args.out, custom_entities=args.text is not None,
        images=args.check, test_cfg={k: v for k, v in changes.items() if v is not None},
        format=args.format, size=tuple(args.size), dynamic=args.dynamic, nms=args.nms,
        normalize=not args.no_normalize, rgb=args.rgb, compare=not args.no_check)
    print(f'{args.out}: {args.out.stat().st_size / 1e6:.1f} MB')
    for difference in differences:
        print(f'compared with PyTorch: {difference}')
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
