"""Find classes or phrases in images and draw them.

Examples:
    # class names, separated by '. '
    python demo/image_demo.py kitchen.jpg glip_swin-t_o365-goldg -c --texts 'cup. coffee maker'

    # a caption: its noun phrases are found
    python demo/image_demo.py kitchen.jpg CONFIG --weights FILE.pth --texts 'a cup on the table'

    # a caption with marked phrases: characters [begin, end) of each
    python demo/image_demo.py kitchen.jpg CONFIG --weights FILE.pth \\
        --texts 'a cup on the table' --tokens-positive '[[[0, 5]], [[9, 18]]]'

    # all classes of a data set, 40 in a prompt
    python demo/image_demo.py FOLDER CONFIG --weights FILE.pth --texts '$: lvis' --chunked-size 40

    # names from a file, a model in one file, subfolders, a name with a threshold of its own
    python demo/image_demo.py PHOTOS FILE.pth --recursive --texts-file names.txt \\
        --pred-score-thr 0.3 'coffee maker=0.5'

    # names that compete and are not returned; large images in tiles
    python demo/image_demo.py street.jpg FILE.pth -c --texts 'car' --negatives 'red car' --tile 800

    # thresholds at the best F1 (or a precision) on annotated images, kept beside the model
    python demo/image_demo.py PHOTOS FILE.pth -c --texts 'cup' --calibrate VAL --precision 0.9

    # class names with definitions from a file (models without fusion)
    python demo/image_demo.py kitchen.jpg CONFIG --weights FILE.pth -c --texts 'cup. trivet' \\
        --cfg-options model.class_texts.knowledge=knowledge.yaml
"""

import argparse
import ast
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from glip_mm_cli.ending import one_message
from glip_mm_cli.options import (
    MODEL,
    WEIGHTS,
    add_cfg_options,
    add_device,
    add_dtype,
    add_palette,
    add_texts,
    add_thresholds,
    parse_early,
    texts_of,
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('inputs', help='image file, address, folder, or a .txt file of image names')
    parser.add_argument('model', help=MODEL)
    parser.add_argument('--weights', help=WEIGHTS)
    parser.add_argument('--out-dir', default='outputs', help='folder of pictures and predictions')
    parser.add_argument('--recursive', action='store_true', help='also images in subfolders')
    add_texts(parser)
    add_device(parser)
    add_dtype(parser)
    add_thresholds(parser, '--pred-score-thr', 'drawn')
    parser.add_argument('--calibrate', metavar='VAL',
                        help='find the thresholds on annotated images, a folder or file in any '
                        'known format, and keep them beside the checkpoint')
    parser.add_argument('--precision', type=float, metavar='SHARE',
                        help='with --calibrate: share of boxes to be right; default: the best F1')
    parser.add_argument('--batch-size', type=int, default=1, help='images, or tiles, at a time')
    parser.add_argument('--tile', type=int, metavar='PIXELS',
                        help='look at larger images in tiles of this size, too')
    parser.add_argument('--overlap', type=float, default=0.2, metavar='SHARE',
                        help='share of a tile that its neighbours show, too (default: 0.2)')
    parser.add_argument('--show', action='store_true', help='show pictures in a window')
    parser.add_argument('--no-save-vis', action='store_true', help='write no pictures')
    parser.add_argument('--no-save-pred', action='store_true', help='write no predictions')
    parser.add_argument('--masks', metavar='SAM', help='folder or hub id of a Segment Anything '
                        'model, such as facebook/sam-vit-base: boxes that are drawn get masks')
    parser.add_argument('--coco', metavar='FILE', help='write the boxes that are drawn as COCO')
    parser.add_argument('--print-result', action='store_true',
                        help='print predictions to stdout, one JSON line for each image')
    add_palette(parser)
    parser.add_argument('--tokens-positive', '-p', type=spans,
                        help='phrases of the caption: for each a list of [begin, end) characters; '
                        '-1: the whole caption is one phrase')
    add_cfg_options(parser, 'settings of the config')
    args = parse_early(parser, ['model'], ['weights'])
    if args.precision is not None and args.calibrate is None:
        parser.error('--precision is of --calibrate: give VAL there')
    if args.batch_size < 1:
        parser.error(f'--batch-size must be 1 or more, got {args.batch_size}')
    if args.calibrate and not Path(args.calibrate).exists():
        parser.error(f"--calibrate '{args.calibrate}' is not there")
    if args.coco and Path(args.coco).is_dir():
        parser.error(f"--coco '{args.coco}' is a folder: name a file to write")
    return args


def spans(text: str) -> Any:
    """Parse ``--tokens-positive``."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError) as error:
        raise argparse.ArgumentTypeError(
            f'{text!r} is no list of spans; write for example [[[0, 5]], [[9, 18]]]') from error


def main() -> None:
    args = parse_args()
    with redirect_stdout(sys.stderr):  # the log, too: stdout is for results
        results = detect(args)
    if args.print_result:
        for result in results.found:
            print(json.dumps(result.to_dict(), ensure_ascii=False))
    if args.out_dir and not (args.no_save_vis and args.no_save_pred):
        print(f'results are in {args.out_dir}', file=sys.stderr)
    print(results.summary(), file=sys.stderr)


def detect(args: argparse.Namespace) -> Any:
    """Detect as the command line says."""
    # after parsing: --help need not wait for torch
    from glip_mm.apis import GLIPInferencer, Thresholds
    from glip_mm.apis.building import resolve_model
    from glip_mm.apis.inputs import check_present, list_images
    from glip_mm.apis.negatives import with_negatives
    from glip_mm.apis.prompts import make_prompt
    from glip_mm.apis.tiles import Tiling
    from glip_mm.apis.window import require_display
    from glip_mm.models.dense_heads import PredictionSettings
    # mistakes are said before weights are downloaded and the model is built
    thresholds = None if args.pred_score_thr is None else Thresholds.parse(args.pred_score_thr)
    texts, images = texts_of(args), list_images(args.inputs, args.recursive)
    check_present(images)
    with_negatives(make_prompt(texts, args.tokens_positive, args.custom_entities), args.negatives)
    if args.tile is not None:
        Tiling(args.tile, args.overlap)
    PredictionSettings.from_config({name: getattr(args, name) for name in (
        'chunked_size', 'shortlist', 'dtype') if getattr(args, name) is not None})
    if args.show:
        require_display()
    config, weights = resolve_model(args.model, args.weights, args.cfg_options)
    inferencer = GLIPInferencer(config, weights, args.device, palette=args.palette,
                                masks=args.masks)
    if args.calibrate:
        found = inferencer.calibrate(args.calibrate, args.precision, args.batch_size)
        print(f'thresholds: {found}', file=sys.stderr)
    results = inferencer(
        images,
        texts=texts,
        spans=args.tokens_positive,
        custom_entities=args.custom_entities,
        batch_size=args.batch_size,
        chunked_size=args.chunked_size,
        shortlist=args.shortlist,
        dtype=args.dtype,
        pred_score_thr=thresholds,
        out_dir=args.out_dir,
        no_save_vis=args.no_save_vis,
        no_save_pred=args.no_save_pred,
        show=args.show,
        negatives=args.negatives,
        tile=args.tile,
        overlap=args.overlap)
    if args.coco:
        results.save_coco(args.coco)
    return results


if __name__ == '__main__':
    with one_message():
        main()
