"""Test a checkpoint with the data and metrics of a config.

Example:
    python tools/test.py configs/quickstart/glip_nano_grounding-world.py \
        work_dirs/quickstart/epoch_4.pth
    python tools/test.py configs/glip/glip_swin-t_o365-goldg.py glip_tiny_c.pth \
        --benchmark lvis_minival
"""

import argparse

from glip_mm_cli.benchmarks import add_benchmark_option
from glip_mm_cli.options import (
    add_dtype,
    add_run_options,
    check_checkpoint,
    parse_early,
)


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(
        description='Test a checkpoint with the data and metrics of a config.')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint: file or address')
    parser.add_argument('--out', metavar='FILE.pkl', help='also write all predictions to this file')
    parser.add_argument('--show', action='store_true', help='show the predictions in a window')
    parser.add_argument('--show-dir', metavar='FOLDER', help='draw the predictions into this '
                        "folder of the run's own in the work directory")
    parser.add_argument('--wait-time', type=float, default=2,
                        help='seconds that each image is shown (default: 2)')
    parser.add_argument('--tta', action='store_true', help='test in several sizes, mirrored and '
                        "not, as the config's tta_model and tta_pipeline say")
    parser.add_argument('--no-resume', action='store_true', help='predict all images, also those '
                        'that an interrupted run of the same test has predicted')
    add_dtype(parser)
    add_benchmark_option(parser)
    add_run_options(parser)
    return parser


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    parse_early(make_parser())

from mmengine.config import Config

from glip_mm.apis.launch import (
    augment_tests,
    build_runner,
    clear_end,
    drawing_hook,
    load_config,
)
from glip_mm.apis.testing import run_test
from glip_mm.file_lock import writing_into


def apply_options(parser: argparse.ArgumentParser, args: argparse.Namespace,
                  config: Config) -> None:
    """Write testing options into the config."""
    check_checkpoint(parser, args.checkpoint, 'checkpoint')
    config.load_from, config.resume = args.checkpoint, False
    if args.out and not args.out.endswith(('.pkl', '.pickle')):
        parser.error(f"--out '{args.out}' must end in .pkl or .pickle")
    if args.dtype:
        config.merge_from_dict({'model.test_cfg.dtype': args.dtype})
    # images are drawn during prediction
    if args.no_resume or args.show or args.show_dir:
        if config.get('test_cfg', {}).get('type', '').endswith('ResumableTestLoop'):
            config.test_cfg.resume = False
    try:
        if args.show or args.show_dir:
            drawing_hook(config, show=args.show, wait_time=args.wait_time,
                         test_out_dir=args.show_dir)
        if args.tta:
            augment_tests(config)
    except KeyError as error:
        parser.error(error.args[0])


def main() -> None:
    """Run the test."""
    parser = make_parser()
    args = parser.parse_args()
    config = load_config(parser, args)
    apply_options(parser, args, config)
    with clear_end('test.py'), writing_into(config.work_dir, args.launcher):
        runner = build_runner(config)
        if args.out:
            from mmdet.evaluation import DumpDetResults
            runner.test_evaluator.metrics.append(DumpDetResults(out_file_path=args.out))
        run_test(runner)


if __name__ == '__main__':
    main()
