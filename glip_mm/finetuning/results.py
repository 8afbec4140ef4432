"""Tables of the metrics of several runs."""

import csv
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from glip_mm.evaluation.metrics.odinw_metric import NO_BOX

METRICS = ('AP', 'AP50', 'AP75', 'APs', 'APm', 'APl')


def read_results(table: str | Path) -> dict[str, float]:
    """Read the metrics of the only data set in a test's CSV table, in 0..1.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    with open(table, encoding='utf-8', newline='') as file:
        row = next(csv.DictReader(file))
    return {k: float(row[k] or 'nan') for k in METRICS}


def aggregate(runs: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """Compute mean and sample standard deviation of each metric; the latter is nan for one run.

    A metric that is nan in a run is nan.
    """
    found = {}
    for key in METRICS:
        values = [run[key] for run in runs]
        if any(map(math.isnan, values)):
            found[key] = (math.nan, math.nan)
        else:
            found[key] = (statistics.fmean(values),
                          statistics.stdev(values) if len(values) > 1 else math.nan)
    return found


def results_table(runs: Mapping[str, Mapping[str, float]]) -> str:
    """Format runs, and mean ± deviation of several, as a Markdown table, in percent.

    A metric that is not a number is a dash, with a note under the table.
    """
    lines = [f'| run | {" | ".join(METRICS)} |', '| --- |' + ' ---: |' * len(METRICS)]
    for name, run in runs.items():
        lines.append(f'| {name} | {" | ".join(_percent(run[k]) for k in METRICS)} |')
    if len(runs) > 1:
        both = aggregate(list(runs.values()))
        cells = (_percent(m) if math.isnan(d) else f'{_percent(m)} ± {_percent(d)}'
                 for m, d in both.values())
        lines.append(f'| mean ± deviation | {" | ".join(cells)} |')
    if any(math.isnan(run[k]) for run in runs.values() for k in METRICS):
        lines += ['', NO_BOX]
    return '\n'.join(lines)


def suite_summary(sets: Mapping[str, Mapping[str, Mapping[str, float]]]
                  ) -> tuple[str, dict[str, float]]:
    """Summarise runs of many data sets: AP of each with its deviation, and the mean of all.

    The deviation of the mean is that of the means over data sets, one for each seed that all have.

    Args:
        sets: Data set -> run -> metrics.

    Returns:
        A Markdown table in percent, and the AP of each data set, in 0..1.
    """
    lines = ['| data set | runs | AP | deviation | AP50 |', '| --- | ---: | ---: | ---: | ---: |']
    values = {}
    for name, runs in sets.items():
        both = aggregate(list(runs.values()))
        values[name] = both['AP'][0]
        lines.append(f'| {name} | {len(runs)} | {_percent(both["AP"][0])} | '
                     f'{_percent(both["AP"][1])} | {_percent(both["AP50"][0])} |')
    known = [name for name, value in values.items() if not math.isnan(value)]
    if known:
        seeds = [s for s in sets[known[0]] if all(s in sets[name] for name in known)]
        means = [statistics.fmean(sets[name][s]['AP'] for name in known) for s in seeds]
        deviation = statistics.stdev(means) if len(means) > 1 else math.nan
        mean, mean50 = (statistics.fmean(aggregate(list(sets[n].values()))[key][0] for n in known)
                        for key in ('AP', 'AP50'))
        lines.append(f'| mean of {len(known)} | | {_percent(mean)} | {_percent(deviation)} | '
                     f'{_percent(mean50)} |')
    return '\n'.join(lines), values


def _percent(value: float) -> str:
    return '-' if math.isnan(value) else f'{100 * value:.1f}'
