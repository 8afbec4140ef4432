"""Find classes or phrases in a video, a camera or a stream.

Examples:
    # class names, separated by '. '; the video with boxes is written
    python demo/video_demo.py street.mp4 glip_swin-t_o365-goldg -c --texts 'car. bicycle' \\
        --out street_found.mp4

    # your own model; every fifth frame, the same number for the same thing, JSON lines
    python demo/video_demo.py street.mp4 CONFIG FILE.pth -c --texts 'car' --every 5 --track \\
        --out-predictions street.jsonl

    # a camera, in a window (q ends it)
    python demo/video_demo.py 0 CONFIG FILE.pth --texts 'a cup on the table' --show
"""

import argparse
import sys

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


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser; names are those of MMDetection's demo."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('video', help='video file, address of a stream, or number of a camera')
    parser.add_argument('config', help=MODEL)
    parser.add_argument('checkpoint', nargs='?', help=WEIGHTS)
    add_texts(parser)
    add_device(parser)
    add_dtype(parser)
    add_thresholds(parser, '--score-thr', 'drawn or written')
    parser.add_argument('--out', metavar='FILE.mp4', help='write the video with boxes; its sound '
                        'is kept where ffmpeg is installed')
    parser.add_argument('--out-predictions', metavar='FILE.jsonl',
                        help='write a JSON line for each frame')
    parser.add_argument('--show', action='store_true', help='show the frames in a window')
    parser.add_argument('--wait-time', type=float, default=0.001,
                        help='seconds that each frame is shown (default: 0.001)')
    parser.add_argument('--every', type=int, default=1, metavar='N',
                        help='look at every N-th frame (default: 1)')
    parser.add_argument('--batch-size', type=int, default=1,
                        help='frames per forward pass (default: 1)')
    parser.add_argument('--track', action='store_true',
                        help='give the same thing the same number in all frames (ByteTrack of the '
                        'package trackers)')
    add_palette(parser)
    add_cfg_options(parser, 'settings of the config')
    return parser


def main() -> None:
    """Detect, and say what was found."""
    parser = make_parser()
    args = parse_early(parser, ['config'], ['checkpoint'])
    if not (args.out or args.out_predictions or args.show):
        parser.error('nothing would be kept: give --out, --out-predictions or --show')
    # after parsing: --help need not wait for torch
    from glip_mm.apis import GLIPInferencer, Thresholds
    from glip_mm.apis.building import resolve_model
    from glip_mm.apis.window import frame_window
    from glip_mm.video import Tracker, VideoReader, detect_video
    thresholds = None if args.score_thr is None else Thresholds.parse(args.score_thr)
    # mistakes are said before the model is built; some streams have one listener, so it is kept
    video, texts = VideoReader(args.video, args.every), texts_of(args)
    if args.track:
        Tracker(video.rate, thresholds.default if thresholds else 0.3)
    show = frame_window(args.wait_time) if args.show else None
    config, weights = resolve_model(args.config, args.checkpoint, args.cfg_options)
    inferencer = GLIPInferencer(config, weights, args.device, palette=args.palette,
                                show_progress=False)
    inferencer.set_prompt(texts, custom_entities=args.custom_entities)
    found = detect_video(
        inferencer, video, out=args.out, out_predictions=args.out_predictions,
        pred_score_thr=thresholds, batch_size=args.batch_size,
        chunked_size=args.chunked_size, shortlist=args.shortlist, dtype=args.dtype,
        negatives=args.negatives, track=args.track, show=show)
    counts = ', '.join(f'{count} {name}' for name, count in found.boxes.most_common())
    if not counts:
        counts = f'nothing reached its threshold; the best score was {found.best:.2g}'
    things = ', '.join(f'{count} {name}' for name, count in found.tracks.most_common())
    print(f'{found.frames} frames: {counts}' + (f'; tracks: {things}' if things else ''),
          file=sys.stderr)
    for path in (args.out, args.out_predictions):
        if path:
            print(f"wrote '{path}'", file=sys.stderr)


if __name__ == '__main__':
    with one_message():
        main()
