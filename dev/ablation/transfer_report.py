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


def draw_transfer(runs: Sequence[Mapping], path: Path, metric: str = 'AP50') -> None:
    """Plot a panel for each data set and model: AP over shots, with a line per tuning mode."""
    import matplotlib
    matplotlib.use('Agg')
    import matplotlib.pyplot as plt
    panels = [(data, start) for data in _unique(runs, 'data') for start in _unique(runs, 'start')
              if any(run['data'] == data and run['start'] == start for run in runs)]
    shots = sorted(set(_unique(runs, 'shots')) - {'0'}, key=_order)
    figure, axes = plt.subplots(1, len(panels), figsize=(3.4 * len(panels), 3.2),
                                layout='constrained', squeeze=False, sharey=True)
    for panel, (data, start) in zip(axes[0], panels):
        own = [run for run in runs if run['data'] == data and run['start'] == start]
        curves = []
        for tuning in _unique([run for run in own if run['shots'] != '0'], 'tuning'):
            points = {i: values for i, s in enumerate(shots)
                      if (values := _values(own, metric, tuning=tuning, shots=s))}
            both = [mean_and_deviation(values) for values in points.values()]
            curves.append(Curve(tuning, np.array(list(points), dtype=float),
                                np.array([mean for mean, _ in both]),
                                np.nan_to_num([deviation for _, deviation in both]), dots=True))
        plot_curves(panel, curves)
        if zero := _values(own, metric, shots='0'):
            panel.axhline(zero[0], color='grey', linestyle='--', linewidth=1)
        panel.set_xticks(range(len(shots)), shots)
        panel.set(title=f'{data}, {start}', xlabel='images of each class', ylim=(0, 100))
    axes[0][0].set_ylabel(f'{metric}, percent')
    save_figure(figure, path)
    plt.close(figure)


def transfer_report(work_dir: Path) -> str:
    """Collect finished runs, write results.json, results.md and results.png.

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
    return table
