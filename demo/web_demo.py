"""Show a page in the browser that finds what you name in your pictures.

Needs Gradio: pip install glip_mm[demo]. Without a model it is the quickstart's, with its
pictures as examples.

Examples:
    python demo/web_demo.py                                  # after: bash tools/quickstart.sh
    python demo/web_demo.py glip_swin-t_o365-goldg
    python demo/web_demo.py CONFIG --weights FILE.pth --port 8080
"""

import argparse
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

from glip_mm_cli.ending import one_message
from glip_mm_cli.options import (
    MODEL,
    WEIGHTS,
    add_cfg_options,
    add_device,
    parse_early,
)
from glip_mm_cli.training_folder import newest_checkpoint

QUICKSTART = 'configs/quickstart/glip_nano_grounding-world.py'
TRAINED = Path('work_dirs/quickstart')
WORLD = Path('data/grounding_world')


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('model', nargs='?', help=f"{MODEL}; default: the quickstart's")
    parser.add_argument('--weights', help=WEIGHTS)
    add_device(parser)
    parser.add_argument('--host', default='127.0.0.1', help='address to listen at; 0.0.0.0 lets '
                        'everybody in who reaches this machine (default: this machine alone)')
    parser.add_argument('--port', type=int, default=7860,
                        help='port to listen at; 0: a free one (default: 7860)')
    parser.add_argument('--waiting', type=int, default=16, metavar='N',
                        help='requests that may wait for the model (default: 16)')
    parser.add_argument('--max-size', type=float, default=20, metavar='MIB',
                        help='size of a picture (default: 20)')
    parser.add_argument('--max-pixels', type=int, default=40_000_000, metavar='N',
                        help='pixels of a picture (default: 40,000,000)')
    add_cfg_options(parser, 'settings of the config')
    return parser


def main() -> None:
    """Serve the page until Ctrl-C."""
    parser = make_parser()
    args = parse_early(parser, ['model'], ['weights'])
    model, weights, world = args.model, args.weights, None
    if model is None:
        model, weights, world = QUICKSTART, weights or newest_checkpoint(TRAINED), WORLD
        if weights is None:
            parser.error(f"'{TRAINED}' holds no trained model: run 'bash tools/quickstart.sh', or "
                         'give a model')
    # after parsing: --help need not wait for torch
    from glip_mm.apis import GLIPInferencer
    from glip_mm.apis.building import resolve_model
    from glip_mm.web import Finder, Limits, keep_files_in, make_page, open_page, quickstart_examples
    config, weights = resolve_model(model, weights, args.cfg_options)
    inferencer = GLIPInferencer(config, weights, args.device, show_progress=False)
    limits = Limits(int(args.max_size * 2**20), args.max_pixels)
    with TemporaryDirectory(prefix='glip_mm-web-') as folder:
        keep_files_in(Path(folder, 'page'))
        page = make_page(Finder(inferencer, Path(folder, 'files'), limits),
                         quickstart_examples(world) if world else (),
                         f'glip_mm: {Path(model).stem}', args.waiting)
        try:
            address = open_page(page, args.host, args.port, limits.size)
            print(f'{address} (Ctrl-C ends it)', flush=True)
            threading.Event().wait()
        finally:
            page.close(verbose=False)


if __name__ == '__main__':
    with one_message("run 'pip install glip_mm[demo]'"):
        main()
