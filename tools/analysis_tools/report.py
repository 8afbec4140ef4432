"""Make a report of one or more test runs: an HTML page, its figures, and a JSON summary.

A result is the work directory of tools/test.py. Several are compared side by side.

Example:
    python tools/analysis_tools/report.py work_dirs/test
    python tools/analysis_tools/report.py work_dirs/a work_dirs/b --names A B --out-dir a_against_b
"""

import argparse
import sys
from pathlib import Path

from glip_mm_cli.ending import end_clearly
from glip_mm_cli.inputs import existing


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('results', nargs='+', metavar='RESULT', type=existing,
                        help='work directory of a test, or the folder of a suite of tests')
    parser.add_argument('--out-dir', help='folder for index.html, summary.json and figures/ '
                        '(default: report/ in the first result)')
    parser.add_argument('--names', nargs='+', metavar='NAME', help='a name for each result '
                        '(default: their models)')
    parser.add_argument('--score-thr', type=float, metavar='SCORE', help='count errors among '
                        'detections of at least this score (default: where F1 is best, for each '
                        'data set)')
    parser.add_argument('--pictures', type=int, default=12, metavar='N', help='show up to N false '
                        'detections and N misses of each data set and result (default: 12)')
    parser.add_argument('--classes', type=int, default=24, metavar='N', help='plot up to N classes '
                        'of each data set by themselves (default: 24)')
    return parser


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    end_clearly()
    make_parser().parse_args()

from glip_mm.visualization.report import make_report


def main() -> None:
    """Write the report."""
    args = make_parser().parse_args()
    try:
        page = make_report(args.results, args.out_dir or Path(args.results[0]) / 'report',
                           args.names, args.score_thr, args.pictures, args.classes)
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(f'report: {page}')


if __name__ == '__main__':
    main()
