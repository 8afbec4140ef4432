"""Test a checkpoint on many detection data sets at once, with one table for all of them.

The sets are COCO-format folders of your own, or those of --benchmark odinw13 or odinw35. Writes
suite.csv and suite.png into the work directory.

Example:
    python tools/test_suite.py configs/glip/glip_swin-t_o365-goldg.py glip_tiny_c.pth \
        data/raccoon data/bccd --split test
    python tools/test_suite.py configs/glip/glip_swin-t_o365-goldg.py glip_tiny_c.pth \
        --benchmark odinw13
"""

import argparse
from pathlib import Path

from glip_mm_cli.benchmarks import add_benchmark_option
from glip_mm_cli.options import add_run_options, check_checkpoint, merge_cfg_options, parse_early


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(
        description='Test a checkpoint on many detection sets at once, with one summary table.')
    parser.add_argument('config', help='config of the model')
    parser.add_argument('checkpoint', help='checkpoint: file or address')
    parser.add_argument('folders', nargs='*', metavar='FOLDER',
                        help='a set in COCO format, a folder of such sets, or an annotation file')
    parser.add_argument('--split', default='test',
                        help='which annotations of each folder: test, val, ... (default: test)')
    parser.add_argument('--prompts', metavar='FILE.json', help='how classes stand in the prompt: '
                        '{"SET": {"CLASS": {"prefix": "", "name": "", "suffix": ""}}}')
    parser.add_argument('--skip-missing', action='store_true',
                        help='ODinW: leave out the sets that are not there')
    add_benchmark_option(parser)
    add_run_options(parser)
    return parser


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    parse_early(make_parser())

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.logging import print_log

from glip_mm.apis.launch import build_runner, clear_end, load_config
from glip_mm.apis.suite import find_datasets, present_part, suite_config
from glip_mm.apis.testing import run_test
from glip_mm.csv_text import csv_cells
from glip_mm.file_lock import writing_into
from glip_mm.registry import type_name
from glip_mm.visualization.suite_chart import draw_suite


def make_config(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Config:
    """Build the config of the run.

    Args:
        parser: Parser that reports errors.
        args: Parsed options.
    """
    check_checkpoint(parser, args.checkpoint, 'checkpoint')
    config = load_config(parser, args)
    try:
        if args.folders:
            if args.benchmark:
                parser.error('--benchmark has its own data; leave it or the folders out')
            if args.skip_missing:
                parser.error('--skip-missing is for ODinW; name the folders that are there')
            datasets = find_datasets(args.folders, args.split)
            config = suite_config(config, datasets, args.prompts)
            if not args.work_dir:
                config.work_dir += '_suite'
            # the given folders replace the config's data
            merge_cfg_options(config, args.cfg_options)
        elif args.prompts:
            parser.error('--prompts is for folders; ODinW has its own prompts')
        elif args.skip_missing:
            left_out = present_part(config)
            if left_out:
                print_log(f'left out, not there: {", ".join(left_out)}', 'current')
        if type_name(dict(config.test_evaluator)) != 'ODinWMetric':
            parser.error(f"config '{args.config}' tests no suite: give the folders of your data "
                         'sets, or --benchmark odinw13 or odinw35')
    except (FileNotFoundError, ValueError, KeyError) as error:
        parser.error(str(error.args[0]))
    config.test_evaluator.out_file = str(Path(config.work_dir) / 'suite.csv')
    config.load_from, config.resume = args.checkpoint, False
    return config


def main() -> None:
    """Run the tests, and draw the summary."""
    parser = make_parser()
    args = parser.parse_args()
    config = make_config(parser, args)
    with clear_end('test_suite.py'), writing_into(config.work_dir, args.launcher):
        run_test(build_runner(config))
    if is_main_process():
        table = Path(config.test_evaluator.out_file)
        with open(table, encoding='utf-8', newline='') as file:
            head, *rows = csv_cells(file)
        values = [(row[head.index('name')], float(row[head.index('AP')] or 'nan')) for row in rows]
        draw_suite(values, str(table.with_suffix('.png')), Path(args.checkpoint).name)
        print_log(f"summary: '{table}' and '{table.with_suffix('.png')}'", 'current')


if __name__ == '__main__':
    main()
