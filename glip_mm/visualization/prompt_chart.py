"""Draw AP of each class under each way to say it, as bars."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from .curves import save_figure

#: Most bars of a picture; with more, the plain and the chosen words of each class are shown.
MAX_BARS = 60
COLORS = {'': '#8a8f98', 'helps': '#2eae4f', 'hurts': '#e63946'}
OTHER = '#9bb8dd'


class Bar(Protocol):
    """The part of a :class:`glip_mm.finetuning.prompt_search.Trial` that is drawn."""

    name: str
    words: str
    AP: float
    difference: float
    interval: tuple[float, float] | None
    verdict: str
    chosen: bool


def draw_prompts(bars: Sequence[Bar], path: str | Path) -> Path:
    """Draw AP over the ways to say each class, with the intervals of the differences.

    Args:
        bars: Candidates, those of a class together, its plain name (verdict ``''``) first.
        path: File of the picture.

    Raises:
        ValueError: If the suffix is no format of Matplotlib.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch
    if len(bars) > MAX_BARS:
        bars = [b for b in bars if b.chosen or not b.verdict]
    figure = Figure(figsize=(8, 1.3 + 0.27 * len(bars)), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    place, places, right = 0., [], 5.
    for index, bar in enumerate(bars):
        # a gap before each class
        place += 1.6 if index and bar.name != bars[index - 1].name else 1.
        places.append(place)
        value = 100 * bar.AP
        end = value
        axes.barh(place, value, height=.8, color=COLORS.get(bar.verdict, OTHER))
        if bar.interval is not None:
            plain = bar.AP - bar.difference
            low, high = (100 * (plain + limit) for limit in bar.interval)
            axes.plot([max(low, 0), min(high, 100)], [place, place], color='black', linewidth=1)
            end = max(end, min(high, 100))
        axes.text(end, place, f'  {value:.1f}{"  chosen" * bar.chosen}', va='center', fontsize=8)
        right = max(right, end)
    axes.set_yticks(places, [b.words for b in bars], fontsize=8)
    axes.invert_yaxis()
    axes.margins(y=.01)
    axes.set_xlim(0, 1.18 * right)
    axes.set_xlabel('AP of the class [%]; lines: plain name + 95 % interval of the difference')
    kinds = {**COLORS, 'unclear, or few images': OTHER}
    axes.legend(handles=[Patch(color=c, label=k or 'plain name') for k, c in kinds.items()],
                frameon=False, fontsize='small', ncols=4, loc='lower right', bbox_to_anchor=(1, 1))
    axes.spines[['top', 'right']].set_visible(False)
    return save_figure(figure, path)
