"""Draw figures once, for a PNG file and for a page in light or dark."""

import contextlib
import io
import re
from collections.abc import Iterator
from typing import Any, Literal

import matplotlib
from markupsafe import Markup
from matplotlib.figure import Figure

from glip_mm.visualization.page_style import GRID, INK, MUTED, PAPER, PROPERTIES
from glip_mm.visualization.palette import PALETTE, Color

#: Colours of the results that are compared, in their order: blue first, red is for errors.
RESULT_COLORS: tuple[Color, ...] = tuple(PALETTE[i] for i in (1, 3, 2, 4, 6, 5, 8, 10, 9, 7))

#: As wide as a phone: 331 points of an SVG are shown in 334 pixels of a screen of 390.
WIDTH = 4.6

#: Any keys: Matplotlib's type hints list the settings of its own version one by one.
_STYLE: dict[Any, Any] = {
    'figure.facecolor': PAPER, 'axes.facecolor': PAPER, 'savefig.facecolor': PAPER,
    'text.color': INK, 'axes.labelcolor': MUTED, 'xtick.color': MUTED, 'ytick.color': MUTED,
    'axes.edgecolor': GRID, 'grid.color': GRID, 'font.size': 9, 'axes.titlesize': 10,
    'axes.titlecolor': INK, 'legend.labelcolor': INK, 'svg.fonttype': 'none',
    'axes.axisbelow': True, 'xtick.major.size': 0, 'ytick.major.size': 0}


@contextlib.contextmanager
def drawing(width: float = WIDTH, height: float = 2.8,
            layout: Literal['constrained', 'compressed', 'tight'] | None = 'constrained'
            ) -> Iterator[Figure]:
    """Open a new figure in the look of the project.

    Args:
        width: Width in inches.
        height: Height in inches.
        layout: Matplotlib's layout engine; ``None``: margins are set by hand, which is faster.

    Example:
        >>> with drawing() as figure:
        ...     line = figure.subplots().plot([0, 1])
    """
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **_STYLE, 'backend': 'agg'}):
        yield Figure(figsize=(width, height), layout=layout)


def result_color(index: int) -> tuple[float, float, float]:
    """Return the colour of a result for Matplotlib."""
    red, green, blue = RESULT_COLORS[index % len(RESULT_COLORS)]
    return red / 255, green / 255, blue / 255


def to_svg(figure: Figure, name: str, description: str = '') -> Markup:
    """Convert a figure to an SVG element that takes its colours from the page around it.

    Args:
        figure: Figure of Matplotlib.
        name: Name of the figure, unique in the page: ids start with it.
        description: Text that stands for the figure where it is not seen.

    Returns:
        ``<svg>``; it fills the width that it is given, and is of the figure's proportions.
    """
    buffer = io.BytesIO()
    with matplotlib.rc_context({**_STYLE, 'svg.hashsalt': name}):
        figure.savefig(buffer, format='svg', transparent=True,
                       metadata=dict(Date=None, Creator=None, Format=None, Type=None))
    text = buffer.getvalue().decode('utf-8')
    text = text[text.index('<svg'):]
    text = re.sub(r'<metadata>.*?</metadata>', '', text, flags=re.DOTALL)
    # ids of groups repeat from figure to figure, and nothing refers to them
    text = re.sub(r'<g id="[a-zA-Z_0-9.]+"', '<g', text)
    for color, name_of in PROPERTIES.items():
        text = text.replace(color, f'var({name_of})')
    text = re.sub(r"font: ([0-9.]+px) [^;\"]*", r"font: \1 system-ui, sans-serif", text)
    opening = text[:text.index('>') + 1]
    [(box, width)] = re.findall(r'(viewBox="0 0 ([0-9.]+)[^"]*")', opening)
    return Markup(
        '<svg {box} role="img" aria-label="{description}" style="min-width: min(100%, {width}px)" '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        '<title>{description}</title>{drawing}').format(
            box=Markup(box), description=description, width=f'{float(width) * 0.9:.0f}',
            drawing=Markup(text[len(opening):]))
