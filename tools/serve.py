"""Serve a model over HTTP, for programs and as a backend of Label Studio.

Examples:
    # on this machine alone, port 8000
    python tools/serve.py glip_swin-t_o365-goldg

    # for other machines, who show a token; images that Label Studio keeps
    GLIP_MM_TOKEN=... python tools/serve.py CONFIG --weights FILE.pth --host 0.0.0.0 --port 9090 \\
        --media-root /srv/label-studio/media
"""

import argparse
import os
from pathlib import Path

from glip_mm_cli.ending import one_message
from glip_mm_cli.options import (
    MODEL,
    WEIGHTS,
    add_cfg_options,
    add_device,
    add_thresholds,
    parse_early,
)


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('model', help=MODEL)
    parser.add_argument('--weights', help=WEIGHTS)
    add_device(parser)
    parser.add_argument('--host', default='127.0.0.1',
                        help='address to bind (default: 127.0.0.1, this machine alone)')
    parser.add_argument('--port', type=int, default=8000, help='port to bind (default: 8000)')
    parser.add_argument('--token', default=os.environ.get('GLIP_MM_TOKEN'), help='what clients '
                        'must show; needed for other hosts (default: that of the environment '
                        'variable GLIP_MM_TOKEN, which other users do not see)')
    add_thresholds(parser, '--pred-score-thr', 'returned')
    parser.add_argument('--max-batch', type=int, default=8, metavar='N',
                        help='images per forward pass (default: 8)')
    parser.add_argument('--max-wait', type=float, default=5, metavar='MS',
                        help='milliseconds that an image waits for others (default: 5)')
    parser.add_argument('--max-queue', type=int, default=32, metavar='N', help='requests in work; '
                        'others are told to come back (default: 32)')
    parser.add_argument('--timeout', type=float, default=60, metavar='S',
                        help='seconds that a request may take (default: 60)')
    parser.add_argument('--max-bytes', type=int, default=32_000_000, metavar='N',
                        help='size of a request (default: 32000000)')
    parser.add_argument('--max-pixels', type=int, default=25_000_000, metavar='N',
                        help='pixels of an image (default: 25000000)')
    parser.add_argument('--media-root', type=Path, metavar='DIR',
                        help="folder of Label Studio's images; default: none is read from disk")
    add_cfg_options(parser, 'settings of the config')
    return parser


def main() -> None:
    """Build the model and serve it."""
    args = parse_early(make_parser(), ['model'], ['weights'])
    # after parsing: --help need not wait for torch
    from glip_mm.serving.running import check_start, serve
    from glip_mm.serving.settings import ServerSettings
    # mistakes are said before the model is built
    check_start(args.host, args.token)
    settings = ServerSettings(
        max_batch=args.max_batch, max_wait=args.max_wait, max_queue=args.max_queue,
        timeout=args.timeout, max_bytes=args.max_bytes, max_pixels=args.max_pixels,
        token=args.token, media_root=args.media_root)
    from glip_mm.apis import GLIPInferencer, Thresholds
    from glip_mm.apis.building import resolve_model
    config, weights = resolve_model(args.model, args.weights, args.cfg_options)
    inferencer = GLIPInferencer(config, weights, args.device, show_progress=False)
    if args.pred_score_thr is not None:
        inferencer.thresholds = Thresholds.parse(args.pred_score_thr)
    serve(inferencer, settings, args.host, args.port)


if __name__ == '__main__':
    with one_message("run 'pip install glip_mm[serve]'"):
        main()
