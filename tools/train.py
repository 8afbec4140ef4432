"""Train a model from its config.

Example:
    python tools/train.py configs/quickstart/glip_nano_grounding-world.py
"""

import argparse
import sys

from glip_mm_cli.options import add_run_options, check_checkpoint, parse_early


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(description='Train a model from its config.')
    parser.add_argument('config', help='config file')
    parser.add_argument('--amp', action='store_true',
                        help='mixed precision, in bfloat16 where the device has it, else in '
                        'float16; optim_wrapper.dtype chooses')
    parser.add_argument('--auto-scale-lr', action='store_true',
                        help='scale the learning rate from auto_scale_lr.base_batch_size of the '
                        'config to the batch size of this run')
    parser.add_argument('--resume', nargs='?', const='auto', metavar='CHECKPOINT',
                        help='continue from this checkpoint; with no value or auto, from the '
                        'newest one of the work directory, or from the start if it has none')
    add_run_options(parser)
    return parser


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    parse_early(make_parser())

from mmengine.config import Config

from glip_mm.apis.launch import (
    build_runner,
    clear_end,
    load_config,
)
from glip_mm.file_lock import writing_into
from glip_mm_cli.training_folder import newest_checkpoint


def apply_options(parser: argparse.ArgumentParser, args: argparse.Namespace,
                  config: Config) -> None:
    """Write training options into the config."""
    if args.amp:
        wrapper = config.optim_wrapper
        kind = wrapper.get('type', 'OptimWrapper').rpartition('.')[2]
        if kind == 'OptimWrapper':
            wrapper.type = 'glip_mm.AutoAmpOptimWrapper'
        elif kind not in ('AmpOptimWrapper', 'AutoAmpOptimWrapper'):
            parser.error(f"--amp cannot replace optim_wrapper.type '{wrapper.type}'")
    if args.auto_scale_lr:
        if 'base_batch_size' not in config.get('auto_scale_lr', {}):
            parser.error('--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...) in '
                         f"'{args.config}'")
        config.auto_scale_lr.enable = True
    if args.resume is not None:
        config.resume = True
        if args.resume == 'auto':
            # without a checkpoint of its own the run starts from the config's load_from
            newest = newest_checkpoint(config.work_dir)
            config.resume = newest is not None
            config.load_from = newest or config.get('load_from')
            if newest is None:
                print(f"--resume: '{config.work_dir}' holds no complete checkpoint, the training "
                      'begins at iteration 0', file=sys.stderr)
        else:
            check_checkpoint(parser, args.resume, '--resume')
            config.load_from = args.resume


def main() -> None:
    """Run the training."""
    parser = make_parser()
    args = parser.parse_args()
    config = load_config(parser, args)
    with clear_end('train.py'), writing_into(config.work_dir, args.launcher):
        apply_options(parser, args, config)
        build_runner(config).train()


if __name__ == '__main__':
    main()
