"""Common procedure of the tools with several runs."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from .runs import Run, lock, run_all


def run_experiment(args: argparse.Namespace, make_runs: Callable[[], Sequence[Run]],
                   collect: Callable[[], str]) -> None:
    """Run the missing runs and report; an error ends the tool with one message.

    Args:
        args: Options of :func:`~dev.experiments.options.add_experiment_options`.
        make_runs: Function that returns all runs, in their order.
        collect: Function that writes tables, charts and numbers of finished runs, and returns the
            tables.
    """
    work_dir = Path(args.work_dir)
    held = None
    try:
        if args.jobs < 1:
            raise ValueError(f'--jobs {args.jobs} must be at least 1')
        if not args.report_only:
            runs = make_runs()
            held = lock(work_dir)
            for run in runs:
                run.prepare(args.restart)
            run_all(runs, args.jobs)
        table = collect()
    except (FileNotFoundError, RuntimeError, ValueError) as error:
        sys.exit(f'error: {error}')
    finally:
        if held is not None:
            os.close(held)
    print(table)
    print(f"\ntables, charts and numbers are in '{work_dir}'")
