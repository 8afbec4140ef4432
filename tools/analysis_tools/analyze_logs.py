"""Plot, average and time the logs of training runs.

A run is a JSON log (``work_dir/*/vis_data/*.json``) or a work directory, whose resumed runs are
joined. Commands and options are those of MMDetection's tool of this name, and more.

Example:
    python tools/analysis_tools/analyze_logs.py plot_curve work_dirs/a work_dirs/b \
        --keys loss lr 'seen/coco/bbox_mAP' --labels A B --smooth 0.9 --out curves.png
    python tools/analysis_tools/analyze_logs.py plot_curve work_dirs/ablation/b/seed* \
        --keys loss --mean --labels B --out mean.png
    python tools/analysis_tools/analyze_logs.py summarize work_dirs/ablation/b/seed* --keys loss
    python tools/analysis_tools/analyze_logs.py cal_train_time work_dirs/a
"""

import argparse
import sys
from collections.abc import Sequence

from glip_mm_cli.ending import end_clearly
from glip_mm_cli.inputs import existing
from glip_mm_cli.outputs import check_apart


def make_parser() -> argparse.ArgumentParser:
    """Build the argument parser."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest='command', required=True)
    plot = commands.add_parser('plot_curve', help='plot any keys of one or more runs')
    _add_runs(plot)
    plot.add_argument('--keys', nargs='+', default=['bbox_mAP'], metavar='KEY',
                      help='what to plot, each in a panel of its own: a key, the end of one '
                      "(bbox_mAP) or a pattern ('loss*') (default: bbox_mAP)")
    plot.add_argument('--labels', nargs='+', metavar='NAME', help='a name for each run, or one for '
                      'all; runs of one name share a colour (default: the paths)')
    plot.add_argument('--legend', nargs='+', metavar='NAME',
                      help="a name for each curve, run by run, as in MMDetection's tool")
    plot.add_argument('--mean', action='store_true',
                      help='average runs of one label and show their deviation as a band')
    plot.add_argument('--smooth', type=float, default=0., metavar='WEIGHT',
                      help='moving average of training keys, from 0 to below 1 (default: 0)')
    plot.add_argument('--x', choices=['auto', 'iter', 'epoch'], default='auto',
                      help='unit of the horizontal axis; auto: epochs for keys of validations '
                      'where the log counts them, else iterations')
    plot.add_argument('--together', action='store_true', help='all keys in one panel')
    plot.add_argument('--start-epoch', type=int, default=1, help='leave out earlier epochs')
    plot.add_argument('--eval-interval', help='not needed: the log says it. Accepted because '
                      "MMDetection's tool has it")
    plot.add_argument('--title', help='title of the figure')
    plot.add_argument('--backend', help="Matplotlib's backend")
    plot.add_argument('--style', default='default', help="a style of Matplotlib, or seaborn's "
                      'dark, darkgrid, white, whitegrid or ticks (default: default)')
    plot.add_argument('--out', metavar='FILE', help='picture to write: png, svg or pdf; without '
                      'it a window opens')
    time = commands.add_parser('cal_train_time', help='time of an iteration')
    _add_runs(time)
    time.add_argument('--include-outliers', action='store_true',
                      help='include the first value of every epoch')
    table = commands.add_parser('summarize', help='mean and deviation over runs, as a table')
    _add_runs(table)
    table.add_argument('--keys', nargs='+', default=['loss'], metavar='KEY', help='see plot_curve')
    table.add_argument('--labels', nargs='+', metavar='NAME',
                       help='a name for each run, or one for all; runs of one name are averaged')
    table.add_argument('--take', choices=['last', 'max', 'min', 'mean'], default='last',
                       help="which value of a run's key counts (default: last)")
    return parser


def _add_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('json_logs', nargs='+', metavar='RUN', type=existing,
                        help='JSON log or work directory')


if __name__ == '__main__':  # --help and mistakes are answered before the slow imports
    end_clearly()
    make_parser().parse_args()

import numpy as np

from glip_mm.visualization.curves import (
    Curve,
    mean_and_deviation,
    mean_curve,
    plot_curves,
    plus_minus,
    save_figure,
)
from glip_mm.visualization.training_log import TrainingLog, read_log


def run_labels(labels: Sequence[str] | None, logs: Sequence[TrainingLog]) -> list[str]:
    """Return a label for every run.

    Raises:
        ValueError: If labels are given whose number differs from that of the runs.
    """
    if labels is None:
        return [str(log.path) for log in logs]
    if len(labels) not in (1, len(logs)):
        raise ValueError(f'{len(labels)} labels were given for {len(logs)} runs; give one for '
                         'each, or one for all')
    return list(labels) * (len(logs) if len(labels) == 1 else 1)


def keys_of(logs: Sequence[TrainingLog], patterns: Sequence[str]) -> list[str]:
    """Find the keys that match the patterns in any run.

    Raises:
        KeyError: If a pattern matches no key of any run.
    """
    result: dict[str, None] = {}
    for pattern in patterns:
        found, error = [], None
        for log in logs:
            try:
                found += log.match(pattern)
            except KeyError as caught:
                error = caught
        if not found:
            raise error
        result.update(dict.fromkeys(found))
    return list(result)


def make_curves(log: TrainingLog, key: str, label: str, x: str, start_epoch: int) -> list[Curve]:
    """Build the curve of a key in a run; empty if the run has no such key."""
    series = log.series(key, start_epoch)
    if not len(series.values):
        return []
    return [Curve(label, series.epochs if x == 'epoch' else series.iterations, series.values,
                  dots=not log.is_training_key(key),
                  exact=not log.is_training_key(key) or key.endswith('lr'))]


def choose_x(wanted: str, logs: Sequence[TrainingLog], keys: Sequence[str]) -> str:
    """Resolve ``auto`` to the unit of the x axis.

    Raises:
        ValueError: If a log without epochs is to be plotted by epochs.
    """
    shown = [log.series(key) for log in logs for key in keys]
    counted = all(np.isfinite(series.epochs).all() for series in shown)
    if wanted == 'epoch' and not counted:
        raise ValueError('--x epoch: a run was trained by iterations and counts no epochs')
    if wanted == 'auto':
        validations = not any(log.is_training_key(key) for log in logs for key in keys)
        return 'epoch' if validations and counted else 'iter'
    return wanted


def plot_curve(args: argparse.Namespace, logs: Sequence[TrainingLog]) -> None:
    """Plot curves of runs."""
    import matplotlib
    if args.out is not None:
        check_apart(args.out, *(log.path for log in logs))
    if args.backend or args.out:
        matplotlib.use(args.backend or 'Agg')
    import matplotlib.pyplot as plt
    from matplotlib.ticker import MaxNLocator
    labels = run_labels(args.labels, logs)
    keys = keys_of(logs, args.keys)
    legend = None
    if args.legend is not None:
        if len(args.legend) != len(logs) * len(keys):
            raise ValueError(f'--legend names {len(args.legend)} curves, but {len(logs)} runs with '
                             f"the keys {', '.join(keys)} make {len(logs) * len(keys)}")
        legend = {(i, key): args.legend[i * len(keys) + j]
                  for i in range(len(logs)) for j, key in enumerate(keys)}
    panels = [keys] if args.together else [[key] for key in keys]
    with plt.style.context(_style(args.style, plt)):
        columns = min(len(panels), 3)
        rows = -(-len(panels) // columns)
        figure, grid = plt.subplots(rows, columns, figsize=(5.2 * columns, 3.6 * rows),
                                    squeeze=False, layout='constrained')
        for axes, shown in zip(grid.flat, panels):
            x = choose_x(args.x, logs, shown)
            curves: dict[str, list[Curve]] = {}
            for key in shown:
                for index, log in enumerate(logs):
                    label = labels[index] + (f' {key}' if len(shown) > 1 else '')
                    label = legend[index, key] if legend else label
                    made = make_curves(log, key, label, x, args.start_epoch)
                    curves.setdefault(label, []).extend(made)
            lines = [c for group in curves.values() if group
                     for c in ([mean_curve(group)] if args.mean else group)]
            plot_curves(axes, lines, args.smooth)
            if x == 'epoch':
                axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.set(xlabel='epoch' if x == 'epoch' else 'iteration', title=', '.join(shown)
                     if len(shown) <= 3 else '')
        for axes in grid.flat[len(panels):]:
            axes.set_visible(False)
        if args.title:
            figure.suptitle(args.title)
        if args.out is None:
            if matplotlib.get_backend().lower() == 'agg':
                raise ValueError('there is no screen for a window: give a file as --out')
            plt.show()
        else:
            save_figure(figure, args.out)
            print(f'curves: {args.out}')
        plt.close(figure)


def _style(name: str, plt: object) -> str:
    for style in (name, f'seaborn-v0_8-{name}'):
        if style == 'default' or style in plt.style.available:
            return style
    raise ValueError(f"--style '{name}' is unknown; Matplotlib has "
                     f"{', '.join(plt.style.available)}")


def cal_train_time(args: argparse.Namespace, logs: Sequence[TrainingLog]) -> None:
    """Print the mean time of an iteration, by epoch if the log has epochs."""
    for log in logs:
        series = log.series('time')
        if not len(series.values):
            raise ValueError(f"'{log.path}' has no training rows with a time: make "
                             'default_hooks.logger.interval smaller than the iterations of an '
                             'epoch')
        epochs = np.nan_to_num(series.epochs, nan=1).astype(int)
        means = {}
        for epoch in np.unique(epochs):
            values = series.values[epochs == epoch]
            # the first value of an epoch includes the start of the data loader workers
            if not args.include_outliers and len(values) > 1:
                values = values[1:]
            means[int(epoch)] = float(values.mean())
        slow, fast = max(means, key=means.get), min(means, key=means.get)
        print(f'-----{log.path}-----')
        print(f'slowest epoch {slow}, average time is {means[slow]:.4f} s/iter')
        print(f'fastest epoch {fast}, average time is {means[fast]:.4f} s/iter')
        print(f'time std over epochs is {np.std(list(means.values())):.4f}')
        print(f'average iter time: {np.mean(list(means.values())):.4f} s/iter\n')


def summarize(args: argparse.Namespace, logs: Sequence[TrainingLog]) -> None:
    """Print a table: a row for each label, a column for each key."""
    labels = run_labels(args.labels, logs)
    keys = keys_of(logs, args.keys)
    take = dict(last=lambda v: v[-1], max=np.max, min=np.min, mean=np.mean)[args.take]
    print(f"| runs | n | {' | '.join(keys)} |")
    print('| --- | --- |' + ' --- |' * len(keys))
    for label in dict.fromkeys(labels):
        group = [log for log, name in zip(logs, labels) if name == label]
        cells = []
        for key in keys:
            found = [series.values for log in group if len((series := log.series(key)).values)]
            cells.append(plus_minus(*mean_and_deviation([take(v) for v in found]), digits=4)
                         if found else '–')
        print(f"| {label} | {len(group)} | {' | '.join(cells)} |")


def main() -> None:
    """Run a command."""
    args = make_parser().parse_args()
    commands = dict(plot_curve=plot_curve, cal_train_time=cal_train_time, summarize=summarize)
    try:
        commands[args.command](args, [read_log(path) for path in args.json_logs])
    except (FileNotFoundError, KeyError, ValueError) as error:
        sys.exit(f'error: {error.args[0]}')


if __name__ == '__main__':
    main()
