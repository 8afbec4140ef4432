"""Draw name tags of boxes, placed where they hide little."""

import numpy as np
from PIL import Image, ImageDraw

from .fonts import load_font
from .palette import Color, readable_on

Rect = tuple[float, float, float, float]


class TakenPlaces:
    """How many tags cover each pixel of a picture.

    Args:
        canvas: Width and height of the picture.
    """

    def __init__(self, canvas: tuple[int, int]) -> None:
        self._count = np.zeros(canvas[::-1], np.uint16)

    def add(self, place: Rect) -> None:
        """Add a tag."""
        self._count[self._part(place)] += 1

    def hidden(self, place: Rect) -> int:
        """Return how many square pixels of the tags a new one would hide."""
        return int(self._count[self._part(place)].sum())

    @staticmethod
    def _part(place: Rect) -> tuple[slice, slice]:
        left, top, right, bottom = map(round, place)
        return slice(top, bottom), slice(left, right)


def place_tag(box: Rect, size: tuple[int, int], canvas: tuple[int, int],
              taken: TakenPlaces) -> Rect:
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
            cost = taken.hidden(place) + abs(top - y) * 0.5
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
