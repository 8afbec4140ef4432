"""Draw the data sets of a suite as bars."""

import io
import math
from collections.abc import Sequence

from glip_mm.atomic_files import write_atomically


def draw_suite(values: Sequence[tuple[str, float]], path: str, title: str = '') -> None:
    """Draw AP over data sets, best first, with the mean as a line.

    Args:
        values: Name and AP (0..1, or nan where there is no ground truth) of each set.
        path: PNG file; it is complete or absent.
        title: Heading of the chart.

    Raises:
        ValueError: If there is no value.
    """
    if not values:
        raise ValueError('draw_suite() needs at least one data set, got none')
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    known = sorted(((n, 100 * v) for n, v in values if not math.isnan(v)), key=lambda r: r[1])
    unknown = [(f'{n} (no boxes)', 0.) for n, v in values if math.isnan(v)]
    rows = unknown + known
    figure = Figure(figsize=(8, 1.4 + 0.28 * len(rows)), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.barh([n for n, _ in rows], [v for _, v in rows], color='#3b6fb6', height=.72)
    for row, (_, value) in enumerate(rows):
        axes.text(value, row, f' {value:.1f}', va='center', fontsize=8)
    if known:
        mean = sum(v for _, v in known) / len(known)
        axes.axvline(mean, color='#c4533a', linewidth=1.2)
        axes.set_title(f'{title}  mean of {len(known)}: {mean:.1f}'.strip(), fontsize=10)
    axes.set_xlabel('box AP [%]')
    axes.set_xlim(0, max(5., 1.12 * max(v for _, v in rows)))
    axes.spines[['top', 'right']].set_visible(False)
    axes.margins(y=.01)
    content = io.BytesIO()
    figure.savefig(content, format='png', dpi=130)
    write_atomically(path, content.getvalue())
