"""Draw name tags of boxes, placed where they hide little."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

from .fonts import load_font
from .palette import Color, readable_on

Rect = tuple[float, float, float, float]


def place_tag(box: Rect, size: tuple[int, int], canvas: tuple[int, int],
              taken: Sequence[Rect]) -> Rect:
    """Find a place for a tag at its box.

    Args:
        box: ``x1, y1, x2, y2`` of the box.
        size: Width and height of the tag.
        canvas: Width and height of the picture.
        taken: Tags that are already placed.

    Returns:
        ``x1, y1, x2, y2``: above the box if nothing is there, else inside or below, at its left
        or right; where all places collide, the one that hides least of other tags.
    """
    x1, y1, x2, y2 = box
    width, height = size
    found: list[tuple[float, Rect]] = []
    for y in (y1 - height, y1, y2, y2 - height):
        for x in (x1, x2 - width, (x1 + x2 - width) / 2):
            left = min(max(x, 0), max(canvas[0] - width, 0))
            top = min(max(y, 0), max(canvas[1] - height, 0))
            place = (left, top, left + width, top + height)
            # moved back into the picture, a tag covers the object: only if need be
            cost = sum(_overlap(place, other) for other in taken) + abs(top - y) * 0.5
            found.append((cost, place))
    return min(found, key=lambda priced: priced[0])[1]


def draw_tag(picture: Image.Image, place: Rect, text: str, color: Color, font_size: int,
             font: str | None = None) -> None:
    """Draw one tag: light or dark text on the entity's colour."""
    pen = ImageDraw.Draw(picture)
    pen.rounded_rectangle(place, radius=max(2, font_size // 4), fill=color)
    pen.text((place[0] + font_size * 0.35, (place[1] + place[3]) / 2), text,
             fill=readable_on(color), font=load_font(font_size, font), anchor='lm')


def tag_size(text: str, font_size: int, font: str | None = None) -> tuple[int, int]:
    """Return width and height of a tag in pixels."""
    length = load_font(font_size, font).getlength(text)
    return round(length + font_size * 0.7), round(font_size * 1.4)


def _overlap(a: Rect, b: Rect) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0) * max(height, 0)
