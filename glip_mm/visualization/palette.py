"""Choose colours of entities: few, strong, and far from each other."""

from collections.abc import Iterable, Sequence
from typing import cast

Color = tuple[int, int, int]

#: RGB, ordered so that the first few differ most; any two are at least 0.1 apart in OKLab.
PALETTE: tuple[Color, ...] = (
    (230, 57, 70), (29, 120, 229), (46, 174, 79), (255, 159, 28), (155, 81, 224),
    (0, 188, 212), (233, 30, 140), (176, 204, 32), (141, 85, 48), (0, 128, 128),
    (255, 138, 128), (250, 215, 50), (92, 66, 180), (120, 200, 140), (198, 120, 10),
    (110, 170, 255), (225, 140, 235), (150, 20, 60), (90, 120, 40), (255, 190, 150))

DARK: Color = (24, 24, 27)
LIGHT: Color = (255, 255, 255)


def entity_colors(num_entities: int,
                  shown: Iterable[int] = (),
                  palette: str | Sequence[Color] | None = None) -> list[Color]:
    """Choose one RGB colour for every entity.

    A prompt of up to ``len(PALETTE)`` entities gets one colour by label, the same in every
    picture. In a longer one colours would repeat by chance, so the labels in ``shown`` are
    coloured by their rank instead and stay apart within one picture.

    Args:
        num_entities: Length ``E`` of the result.
        shown: Labels that the picture shows.
        palette: Colours to use instead: RGB tuples, or the name of one of MMDetection's
            palettes (``'coco'``, ``'voc'``, ``'citys'``, ``'random'``); ``None`` or ``'none'``:
            ours.

    Returns:
        ``E`` RGB tuples, deterministic.

    Raises:
        ValueError: If ``palette`` is empty or unknown.

    Example:
        >>> entity_colors(2)
        [(230, 57, 70), (29, 120, 229)]
    """
    if isinstance(palette, str) and palette != 'none':
        return _named_palette(palette, num_entities)
    colors: Sequence[Color] = PALETTE
    if palette is not None and not isinstance(palette, str):
        colors = [cast(Color, tuple(c)) for c in palette]
    if not colors:
        raise ValueError(f'palette={palette!r} holds no colour; give RGB tuples or None')
    result = [colors[label % len(colors)] for label in range(num_entities)]
    if num_entities > len(colors):
        for rank, label in enumerate(sorted(set(shown))):
            result[label] = colors[rank % len(colors)]
    return result


def readable_on(color: Color) -> Color:
    """Return dark or light, whichever has the higher WCAG contrast on ``color`` (RGB)."""
    luminance = _luminance(color)
    on_light = (_luminance(LIGHT) + 0.05) / (luminance + 0.05)
    on_dark = (luminance + 0.05) / (_luminance(DARK) + 0.05)
    # colours of middle luminance look better under light text although the formula prefers dark
    return LIGHT if on_light * 1.7 >= on_dark else DARK


def _luminance(color: Color) -> float:
    linear = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055)**2.4 for c in color]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _named_palette(name: str, num_entities: int) -> list[Color]:
    from mmdet.visualization.palette import get_palette
    known = ('coco', 'voc', 'citys', 'random')
    if name not in known:
        raise ValueError(f"palette='{name}' is unknown; use one of {', '.join(known)}, 'none', or "
                         'a list of RGB tuples')
    # MMDetection's named palettes have a fixed length and refuse more classes than that
    size = {'coco': 80, 'voc': 20, 'citys': 8}.get(name, max(num_entities, 1))
    colors = [(int(red), int(green), int(blue)) for red, green, blue in get_palette(name, size)]
    return [colors[label % len(colors)] for label in range(num_entities)]
