"""Report of tuned models by start, data set and shots: a table, a plot and a JSON file."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from glip_mm.visualization import write_atomically
from glip_mm.visualization.curves import (
    Curve,
    mean_and_deviation,
    plot_curves,
    plus_minus,
    save_figure,
)

#: Value of tools/finetune.py's shots for all training images.
ALL = 'all'


def _order(shots: str) -> float:
    return float('inf') if shots == ALL else int(shots)


def _unique(runs: Sequence[Mapping], key: str) -> list[str]:
    return list(dict.fromkeys(run[key] for run in runs))


def _values(runs: Sequence[Mapping], metric: str, **facts: str) -> list[float]:
    """Return the percentages of the runs that match the facts, in order of seeds."""
    found = sorted((run['seed'], run['metrics'][metric]) for run in runs
                   if all(run[k] == v for k, v in facts.items()))
    return [100 * (value or 0.) for _, value in found]


def transfer_table(runs: Sequence[Mapping], metric: str = 'AP50') -> str:
    """Format mean ± deviation over seeds, in percent, with a column for each tuning mode.

    Args:
        runs: Contents of ``run.json`` of finished runs; ``shots`` 0 are shown in all columns.
        metric: Name of the metric: AP, AP50 or AP75.

    Returns:
        Table in Markdown.
    """
    tunings = _unique([run for run in runs if run['shots'] != '0'], 'tuning') or ['zero-shot']
    lines = [f"| {metric}: model | data | shots | seeds | {' | '.join(tunings)} | minutes |",
             '| --- | --- | --- | ---: |' + ' ---: |' * (len(tunings) + 1)]
    for start in _unique(runs, 'start'):
        for data in _unique(runs, 'data'):
            own = [run for run in runs if run['start'] == start and run['data'] == data]
            for shots in sorted(set(_unique(own, 'shots')), key=_order):
                row = [run for run in own if run['shots'] == shots]
                values = [_values(row, metric, **({} if shots == '0' else dict(tuning=tuning)))
                          for tuning in tunings]
                cells = [plus_minus(*mean_and_deviation(v)) if v else '–' for v in values]
                minutes = sum(run['seconds'] for run in row) / 60
                lines.append(f"| {start} | {data} | {shots} | {max(map(len, values))} | "
                             f"{' | '.join(cells)} | {minutes:.1f} |")
    return '\n'.join(lines)


def draw_transfer(runs: Sequence[Mapping], path: Path, lines_are: str = 'tuning',
                  metric: str = 'AP50') -> None:
    """Plot AP over shots.

    Args:
        runs: Contents of ``run.json`` of finished runs. What was trained on all images alone, as a
            supervised detector, is a horizontal line.
        path: File of the plot.
        lines_are: ``'tuning'``, a panel for each data set and model with a line per tuning mode; or
            ``'start'``, a panel for each data set with a line per fully tuned model.
        metric: Name of the metric.
    """
    import matplotlib
    matplotlib.use('Agg')
    import matplotlib.pyplot as plt
    tuned = [run for run in runs if run['shots'] != ALL]
    starts, data_sets = _unique(tuned, 'start'), _unique(tuned, 'data')
    shots = sorted(set(_unique(runs, 'shots')) - {'0'}, key=_order)
    few = [run for run in runs if run['shots'] != '0' and run['start'] in starts]
    if lines_are == 'tuning':
        panels = [(dict(data=data, start=start), f'{data}, {start}',
                   {t: dict(tuning=t) for t in _unique(few, 'tuning')})
                  for data in data_sets for start in starts]
    else:
        panels = [(dict(data=data), data,
                   {s: dict(tuning='full', start=s) for s in starts}) for data in data_sets]
    panels = [panel for panel in panels
              if any(_values(few, metric, **panel[0], **line) for line in panel[2].values())]
    figure, axes = plt.subplots(1, max(len(panels), 1), figsize=(3.4 * max(len(panels), 1), 3.2),
                                layout='constrained', squeeze=False, sharey=True)
    for axis, (facts, title, lines) in zip(axes[0], panels):
        curves = []
        for name, line in lines.items():
            points = {i: values for i, s in enumerate(shots)
                      if (values := _values(few, metric, **facts, **line, shots=s))}
            if not points:
                continue
            both = [mean_and_deviation(values) for values in points.values()]
            curves.append(Curve(name, np.array(list(points), dtype=float),
                                np.array([mean for mean, _ in both]),
                                np.nan_to_num([deviation for _, deviation in both]), dots=True))
        plot_curves(axis, curves)
        for start in sorted(set(_unique(runs, 'start')) - set(starts)):
            if values := _values(runs, metric, data=facts['data'], start=start):
                axis.axhline(float(np.mean(values)), color='black', linestyle=':', linewidth=1.2,
                             label=f'{start}, all images')
        zero = {s: _values(runs, metric, data=facts['data'], start=s, shots='0')
                for s in ([facts['start']] if 'start' in facts else starts)}
        for start, values in zero.items():
            if values:
                axis.axhline(values[0], color='grey', linestyle='--', linewidth=1,
                             label=f'{start}, no training')
        axis.legend(frameon=False, fontsize='x-small')
        axis.set_xticks(range(len(shots)), shots)
        axis.set(title=title, xlabel='images of each class', ylim=(0, 100))
    axes[0][0].set_ylabel(f'{metric}, percent')
    save_figure(figure, path)
    plt.close(figure)


def transfer_report(work_dir: Path) -> str:
    """Collect finished runs, write results.json, results.md, results.png and shots.png.

    Args:
        work_dir: Folder of all runs.

    Returns:
        The tables of AP50 and AP.

    Raises:
        FileNotFoundError: If no run is finished.
    """
    states = [json.loads(file.read_text(encoding='utf-8'))
              for file in work_dir.glob('*/*/*/seed*/run.json')]
    runs = sorted((state for state in states if 'metrics' in state), key=lambda run: (
        run['start'], run['data'], _order(run['shots']), run['tuning'], run['seed']))
    if not runs:
        raise FileNotFoundError(f"no run in '{work_dir}' is finished")
    table = '\n\n'.join(transfer_table(runs, metric) for metric in ('AP50', 'AP'))
    write_atomically(work_dir / 'results.json', (json.dumps(dict(runs=runs), indent=2) +
                                                 '\n').encode())
    write_atomically(work_dir / 'results.md', (table + '\n').encode())
    draw_transfer(runs, work_dir / 'results.png')
    draw_transfer(runs, work_dir / 'shots.png', 'start')
    return table
