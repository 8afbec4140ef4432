"""Common options of the tools with several runs."""

import argparse
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def add_experiment_options(parser: argparse.ArgumentParser, work_dir: str,
                           seeds: Sequence[int]) -> None:
    """Add the options that every experiment has.

    Args:
        parser: Parser of the tool.
        work_dir: Default work directory.
        seeds: Default random seeds.
    """
    parser.add_argument('--seeds', nargs='+', type=int, default=list(seeds), metavar='N')
    parser.add_argument('--work-dir', default=work_dir, metavar='FOLDER')
    parser.add_argument('--jobs', type=int, default=1, metavar='N',
                        help='runs at the same time, which share the cores (default: 1)')
    parser.add_argument('--report-only', action='store_true',
                        help='run nothing, report the runs that are finished')
    parser.add_argument('--restart', action='store_true',
                        help='throw away runs that were made with other settings')


def add_cfg_options(parser: argparse.ArgumentParser) -> None:
    """Add the option that changes settings of every run."""
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
                        help='settings for every run, as for tools/train.py')
