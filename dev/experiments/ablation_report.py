"""Report of finished runs: a table, a plot and a JSON file."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from glip_mm.visualization import write_atomically
from glip_mm.visualization.curves import mean_and_deviation, plot_bars, plus_minus, save_figure

# metric -> title of its column
COLUMNS = dict(ap_seen='AP seen', ap_unseen_pairs='AP unseen pairs',
               phrase_recall_at_1='phrase recall @ 1')


def values_of(runs: Sequence[Mapping], variant: str, metric: str) -> dict[int, float]:
    """Return the values of a metric in percent, by seed."""
    return {run['seed']: 100 * run['metrics'][metric] for run in runs
            if run['variant'] == variant and 'metrics' in run}


def make_table(runs: Sequence[Mapping], columns: Mapping[str, str] = COLUMNS,
               baseline: str | None = None) -> str:
    """Format mean ± deviation of every variant, and paired differences.

    Args:
        runs: Contents of ``run.json`` of finished runs.
        columns: Metric -> title of its column.
        baseline: Variant that all others are compared with; None: each with the one before.

    Returns:
        Table in Markdown.
    """
    variants = list(dict.fromkeys(run['variant'] for run in runs))
    lines = [f"| variant | seeds | {' | '.join(columns.values())} | minutes a run |",
             '| --- | --- |' + ' --- |' * (len(columns) + 1)]
    for variant in variants:
        cells = [plus_minus(*mean_and_deviation(list(values_of(runs, variant, m).values())))
                 for m in columns]
        spent = [run['cost'].get('train_seconds', float('nan')) + run['test_seconds']
                 for run in runs if run['variant'] == variant]
        minutes = plus_minus(*mean_and_deviation([s / 60 for s in spent]))
        count = len(values_of(runs, variant, next(iter(columns))))
        lines.append(f"| {variant} | {count} | {' | '.join(cells)} | {minutes} |")
    for before, after in (((baseline, v) for v in variants if v != baseline)
                          if baseline in variants else zip(variants, variants[1:])):
        cells = []
        shared: list[int] = []
        for metric in columns:
            old, new = (values_of(runs, v, metric) for v in (before, after))
            shared = sorted(set(old) & set(new))
            gains = [new[seed] - old[seed] for seed in shared]
            cells.append(_gain(gains) if gains else '–')
        lines.append(f"| {after} − {before} | {len(shared)} | {' | '.join(cells)} | |")
    return '\n'.join(lines)


def _gain(gains: Sequence[float]) -> str:
    text = plus_minus(*mean_and_deviation(gains))
    return f"{'' if text.startswith('-') else '+'}{text} ({sum(g > 0 for g in gains)} of " \
           f'{len(gains)} better)'


def draw(runs: Sequence[Mapping], path: Path, columns: Mapping[str, str] = COLUMNS) -> None:
    """Plot the columns of the table, one panel each."""
    import matplotlib
    matplotlib.use('Agg')
    import matplotlib.pyplot as plt
    variants = list(dict.fromkeys(run['variant'] for run in runs))
    figure, axes = plt.subplots(1, len(columns), figsize=(3.6 * len(columns), 3.2),
                                layout='constrained', squeeze=False)
    for panel, (metric, title) in zip(axes[0], columns.items()):
        plot_bars(panel, {v: list(values_of(runs, v, metric).values()) for v in variants})
        panel.set(title=title, ylabel='percent', ylim=(0, None))
    save_figure(figure, path)
    plt.close(figure)


def report(work_dir: Path, variants: Sequence[str], columns: Mapping[str, str] = COLUMNS,
           baseline: str | None = None, name: str = 'results') -> str:
    """Collect finished runs, write results.json, results.md and results.png.

    Args:
        work_dir: Folder of all runs.
        variants: Names of the variants, in order.
        columns: Metric -> title of its column.
        baseline: Variant to compare with, see :func:`make_table`.
        name: Name of the files, without their endings.

    Returns:
        The table.

    Raises:
        FileNotFoundError: If no run is finished.
    """
    runs = [json.loads(file.read_text(encoding='utf-8')) for variant in variants
            for file in sorted((work_dir / variant).glob('seed*/run.json'))]
    runs = sorted((run for run in runs if 'metrics' in run),
                  key=lambda run: (list(variants).index(run['variant']), run['seed']))
    if not runs:
        raise FileNotFoundError(f"no run in '{work_dir}' is finished")
    table = make_table(runs, columns, baseline)
    content = dict(runs=runs, mean={v: {
        m: dict(zip(('mean', 'deviation'), mean_and_deviation(
            list(values_of(runs, v, m).values())))) for m in runs[0]['metrics']}
        for v in dict.fromkeys(run['variant'] for run in runs)})
    # the deviation of a single run is nan, which JSON does not have
    text = json.dumps(content, indent=2).replace('NaN', 'null')
    write_atomically(work_dir / f'{name}.json', (text + '\n').encode())
    write_atomically(work_dir / f'{name}.md', (table + '\n').encode())
    draw(runs, work_dir / f'{name}.png', columns)
    return table
