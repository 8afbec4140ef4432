"""Chart of AP over the number of captions that a student read."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from glip_mm.visualization.curves import Curve, mean_and_deviation, plot_curves, save_figure

from .ablation_report import values_of


def draw_captions(results: Path, points: Mapping[str, int], columns: Mapping[str, str],
                  teacher: str) -> None:
    """Plot a line per metric over the captions, and its value for the teacher as a broken line.

    Args:
        results: File of :func:`~dev.experiments.ablation_report.report`; the chart is written
            beside it.
        points: Variant -> number of captions.
        columns: Metric -> label of its line.
        teacher: Variant that all started from.
    """
    import matplotlib
    matplotlib.use('Agg')
    import matplotlib.pyplot as plt
    runs: Sequence[Mapping] = json.loads(results.read_text(encoding='utf-8'))['runs']
    shown = [name for name in points if values_of(runs, name, next(iter(columns)))]
    figure, axes = plt.subplots(1, len(columns), figsize=(3.2 * len(columns), 3),
                                layout='constrained', squeeze=False)
    for panel, (metric, label) in zip(axes[0], columns.items()):
        both = [mean_and_deviation(list(values_of(runs, name, metric).values()))
                for name in shown]
        plot_curves(panel, [Curve('student', np.arange(len(shown), dtype=float),
                                  np.array([mean for mean, _ in both]),
                                  np.nan_to_num([deviation for _, deviation in both]),
                                  dots=True)])
        if values := list(values_of(runs, teacher, metric).values()):
            panel.axhline(float(np.mean(values)), color='grey', linestyle='--', linewidth=1,
                          label='teacher')
        panel.set_xticks(range(len(shown)), [f'{points[name]:,}' for name in shown])
        panel.set(title=label, xlabel='labelled captions')
        panel.margins(y=.15)
        panel.set_ylim(bottom=0)
        panel.legend(frameon=False, fontsize='small', loc='lower right')
    axes[0][0].set_ylabel('percent')
    save_figure(figure, results.with_suffix('.png'))
    plt.close(figure)
