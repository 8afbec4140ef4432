"""Zero-, few- or full-shot over all data sets of ODinW, or of a list of your own.

Each set and seed is a run of tools/finetune.py in a folder of its own; finished runs are not
repeated. Ends with a table over sets (results.md), a bar chart (results.png), and the submission
file of the leaderboard (leaderboard.json).

Example:
    python tools/odinw.py --checkpoint glip_swin-t_o365-goldg --shots 3 --subset 13 \
        --seeds 3 30 300
    python tools/odinw.py --data data/raccoon data/bccd --checkpoint glip_tiny.pth --shots 0 \
        --config configs/glip/glip_swin-t_o365-goldg.py
"""

import argparse
import json
import math
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

from glip_mm_cli.options import parse_early
from glip_mm_cli.training_options import add_training_options


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0],
                                     usage='%(prog)s --checkpoint FILE|NAME [options]',
                                     allow_abbrev=False)
    parser.add_argument('--data', nargs='+', metavar='FOLDER', help='folders of your own instead '
                        'of the sets of ODinW')
    parser.add_argument('--subset', choices=['13', '35', 'all'], default='13',
                        help='of ODinW (default: 13)')
    parser.add_argument('--skip-missing', action='store_true',
                        help='leave out the sets that are not there')
    parser.add_argument('--model-name', help="the leaderboard's name of the model (default: the "
                        "config's)")
    add_training_options(parser)
    parser.add_argument('--val-fraction', type=float, help='see tools/finetune.py')
    return parser


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    parse_early(make_parser())

from mmengine.config import Config

from glip_mm.apis.launch import newest_checkpoint
from glip_mm.apis.leaderboard import leaderboard_runs
from glip_mm.atomic_files import write_atomically
from glip_mm.checkpoints import read_checkpoint
from glip_mm.datasets.data_error import read_json
from glip_mm.evaluation.predictions import PredictionStore
from glip_mm.file_lock import writing_into
from glip_mm.finetuning import odinw_rows
from glip_mm.finetuning.open_splits import ODINW, data_name
from glip_mm.finetuning.results import suite_summary
from glip_mm.finetuning.run import call_tool
from glip_mm.finetuning.start import find_start
from glip_mm.visualization.suite_chart import draw_suite


def find_sets(parser: argparse.ArgumentParser, args: argparse.Namespace) -> list[str]:
    """Return the ``--data`` of each run."""
    if args.data:
        names = [data_name(d) for d in args.data]
        double = sorted({n for n in names if names.count(n) > 1})
        if double:
            parser.error(f'several folders are called {double}')
        return list(args.data)
    try:
        rows = odinw_rows(args.sets, None if args.subset == 'all' else args.subset)
    except (FileNotFoundError, ValueError) as error:
        parser.error(str(error.args[0]))
    missing = [r['name'] for r in rows
               if not (Path(args.odinw_root) / r['root'] / r['splits']['train'][0]).is_file()]
    if len(missing) == len(rows):
        parser.error(f"no data set of ODinW is in '{args.odinw_root}': docs/evaluation.md says "
                     'where they go; --odinw-root names another folder')
    if missing and not args.skip_missing:
        parser.error(f"not in '{args.odinw_root}': {', '.join(missing)}; --skip-missing leaves "
                     'them out')
    return [f"{ODINW}{r['name']}" for r in rows if r['name'] not in missing]


def run_options(argv: list[str]) -> list[str]:
    """Return the options for each run: all except this tool's own."""
    own = dict.fromkeys(('--skip-missing', ), 0)
    own.update(dict.fromkeys(('--subset', '--model-name', '--work-dir'), 1))
    kept, i = [], 0
    while i < len(argv):
        option, _, value = argv[i].partition('=')
        if option in own:
            i += 1 + (own[option] if not value else 0)
        elif option == '--data':
            i += 1
            while i < len(argv) and not argv[i].startswith('--'):
                i += 1
        else:
            kept.append(argv[i])
            i += 1
    return kept


def read_summary(path: Path) -> dict[str, Any]:
    """Read the results of a run; unknown metrics are nan."""
    content = read_json(path)
    content['runs'] = {name: {k: math.nan if v is None else v for k, v in run.items()}
                       for name, run in content['runs'].items()}
    return content


def run_set(data: str, folder: Path, options: list[str]) -> dict[str, Any] | None:
    """Run a data set, unless it is finished; return None if it fails."""
    done, command = folder / 'command', shlex.join(options)
    finished = (folder / 'results.json').is_file() and done.is_file()
    # after a change of annotations the run itself reports what it does
    if not (finished and done.read_text(encoding='utf-8') == command and not any(
            path.stat().st_mtime > done.stat().st_mtime for path in Path(data).rglob('*.json'))):
        if call_tool('finetune.py', '--data', data, '--work-dir', folder, '--no-report', *options):
            return None
        write_atomically(done, command.encode())
    return read_summary(folder / 'results.json')


def trained_parameters(folder: Path) -> int:
    """Count the trained parameters by the optimizer in a run's newest checkpoint; 0 for none."""
    newest = newest_checkpoint(str(folder / 'train'))
    if newest is None:
        return 0
    state = read_checkpoint(newest)['optimizer']['state']
    return sum(value['exp_avg'].numel() for value in state.values())


def leaderboard(results: dict[str, dict[str, Any]], work_dir: Path, args: argparse.Namespace,
                model_name: str) -> Path:
    """Write the predictions of all data sets and seeds."""
    rows = []
    for name, result in results.items():
        # the folder of 'seed 3' is seed3
        seeds = [work_dir / name / run.replace(' ', '') for run in result['runs']]
        stores = [PredictionStore(s / 'test' / 'predictions') for s in seeds]
        rows += leaderboard_runs(stores, [int(s.name[4:]) for s in seeds], args.shots,
                                 trained_parameters(seeds[0]), model_name)
    path = work_dir / 'leaderboard.json'
    return Path(write_atomically(path, json.dumps(dict(data=rows)).encode()))


def main() -> None:
    """Run all data sets, and summarise them."""
    parser = make_parser()
    args = parser.parse_args()
    shots = 'all' if args.shots is None else args.shots
    kind = 'suite' if args.data else f'odinw-{args.subset}'
    work_dir = Path(args.work_dir or f'work_dirs/{kind}/{args.tuning}_{shots}')
    with writing_into(work_dir):
        run_sets(parser, args, work_dir, f'{args.tuning}, {shots} shots')


def run_sets(parser: argparse.ArgumentParser, args: argparse.Namespace, work_dir: Path,
             how: str) -> None:
    """Run all data sets, and write their summary into a folder."""
    try:
        config, _ = find_start(args.checkpoint, args.config, work_dir)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    # child processes must end with this one
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = run_options(sys.argv[1:])
    results: dict[str, dict[str, Any]] = {}
    failed = []
    for data in find_sets(parser, args):
        name = data_name(data)
        found = run_set(data, work_dir / name, options)
        if found is None:
            failed.append(name)
        else:
            results[name] = found
    if not results:
        sys.exit('error: no data set was finished; messages are above')
    table, values = suite_summary({n: r['runs'] for n, r in results.items()})
    write_atomically(work_dir / 'results.md', (table + '\n').encode())
    title = args.model_name or Config.fromfile(config).get('model_name') or config.stem
    draw_suite(list(values.items()), str(work_dir / 'results.png'),
               f'{title}, {how}')
    board = leaderboard(results, work_dir, args, title)
    print(f"\n{table}\n\nresults: '{work_dir / 'results.md'}', results.png, '{board}'")
    if failed:
        sys.exit(f'error: not finished: {", ".join(failed)}; the same command tries them again')


if __name__ == '__main__':
    main()
