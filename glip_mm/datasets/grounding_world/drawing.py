"""Drawing of objects, with tight boxes."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from PIL import Image, ImageDraw

from .captions import Caption
from .scene import Look, Thing, sample_scene
from .vocabulary import COLOURS

FINE = 4  # supersampling of masks, which smooths the edges
Box = tuple[int, int, int, int]


def _polygon(shape: str) -> list[tuple[float, float]]:
    """Return the corners of a polygonal shape, in units of the half width."""
    if shape == 'square':
        return [(-.9, -.9), (.9, -.9), (.9, .9), (-.9, .9)]
    if shape == 'triangle':
        return [(0, -1), (1, .85), (-1, .85)]
    if shape == 'cross':
        a = .34
        return [(-a, -1), (a, -1), (a, -a), (1, -a), (1, a), (a, a), (a, 1), (-a, 1), (-a, a),
                (-1, a), (-1, -a), (-a, -a)]
    if shape == 'arrow':
        return [(-1, -.3), (.1, -.3), (.1, -.85), (1, 0), (.1, .85), (.1, .3), (-1, .3)]
    if shape == 'star':
        angles = np.arange(10) * np.pi / 5 - np.pi / 2
        reach = np.where(np.arange(10) % 2, .42, 1.05)
        return list(zip(reach * np.cos(angles), reach * np.sin(angles)))
    if shape == 'heart':
        t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        x = np.sin(t)**3
        y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)) / 16
        return list(zip(x, y))
    raise ValueError(f"shape '{shape}' has no drawing: add it to drawing._polygon")


def shape_mask(thing: Thing, side: int) -> np.ndarray:
    """Return the coverage of each pixel by the object, float32 ``[side, side]`` in 0..1."""
    canvas = Image.new('L', (side * FINE, side * FINE))
    draw = ImageDraw.Draw(canvas)
    x, y, r = thing.x * FINE, thing.y * FINE, thing.radius * FINE
    shape = thing.pair.shape
    if shape in ('circle', 'ring'):
        draw.ellipse([x - r, y - r, x + r, y + r], fill=255)
        if shape == 'ring':
            hole = .55 * r
            draw.ellipse([x - hole, y - hole, x + hole, y + hole], fill=0)
    else:
        draw.polygon([(x + px * r, y + py * r) for px, py in _polygon(shape)], fill=255)
    return np.asarray(canvas.reduce(FINE), dtype=np.float32) / 255


def _pattern_mask(thing: Thing, side: int, rng: np.random.Generator) -> np.ndarray:
    """Return the pixels of the second shade, bool ``[side, side]``."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    x, y = x - thing.x, y - thing.y
    period = max(thing.radius / 1.6, 6.)
    if thing.pattern == 'striped':
        angle = rng.choice([0, np.pi / 4, np.pi / 2])
        return (np.cos(angle) * x + np.sin(angle) * y) % period < period / 2
    if thing.pattern == 'checkered':
        return ((x // (period / 2)) + (y // (period / 2))) % 2 == 0
    if thing.pattern == 'dotted':
        return (x % period - period / 2)**2 + (y % period - period / 2)**2 < (.3 * period)**2
    return np.zeros((side, side), dtype=bool)


def draw_texture(side: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a dull texture, float32 ``[side, side, 3]``: clouds, grain and weak bands."""
    base = rng.uniform(105, 165) + rng.uniform(-14, 14, size=3)
    cells = int(rng.integers(3, 12))
    clouds = rng.uniform(-1, 1, size=(cells, cells)).astype(np.float32)
    clouds = np.asarray(Image.fromarray(clouds).resize((side, side), Image.Resampling.BICUBIC))
    ramp = np.linspace(0, rng.uniform(0, 40), side)
    bands = np.sin(ramp)[:, None] if rng.random() < .5 else np.sin(ramp)[None, :]
    grain = rng.normal(0, rng.uniform(1, 7), size=(side, side, 1))
    light = clouds[..., None] * rng.uniform(5, 26) + bands[..., None] * rng.uniform(0, 9) + grain
    return (base + light).astype(np.float32)


def draw_scene(things: Sequence[Thing], side: int,
               rng: np.random.Generator) -> tuple[np.ndarray, list[Box]]:
    """Draw objects over a texture.

    Args:
        things: ``K`` objects.
        side: Width and height in pixels.
        rng: Source of the texture and of the jitter of the colours.

    Returns:
        RGB uint8 ``[side, side, 3]`` and ``K`` boxes, pixel xyxy, the right and bottom edges
        exclusive.
    """
    image = draw_texture(side, rng)
    boxes = []
    for thing in things:
        cover = shape_mask(thing, side)
        colour = np.array(COLOURS[thing.pair.colour]) + rng.uniform(-9, 9, size=3)
        second = .65 * colour + .35 * (30 if colour.mean() > 90 else 160)
        paint = np.where(_pattern_mask(thing, side, rng)[..., None], second, colour)
        image += cover[..., None] * (paint.astype(np.float32) - image)
        rows, columns = np.nonzero((cover >= .5).any(1))[0], np.nonzero((cover >= .5).any(0))[0]
        boxes.append((int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1))
    return np.clip(np.rint(image), 0, 255).astype(np.uint8), boxes


class Shapes(Protocol):
    """What the options of a world of shapes say of an image."""

    @property
    def side(self) -> int:
        """Return its width and height in pixels."""

    def look(self, split: str) -> Callable[[np.random.Generator], Look]:
        """Return the sampler of an object's look in a split."""

    def caption(self, split: str, things: Sequence[Thing],
                rng: np.random.Generator) -> Caption | None:
        """Write a caption."""


def draw_picture(options: Shapes, split: str, rng: np.random.Generator
                 ) -> tuple[np.ndarray, list[Thing], list[Box], Caption | None]:
    """Draw an image of a split; return it with its objects, their boxes and a caption."""
    things = sample_scene(rng, options.look(split), options.side)
    caption = options.caption(split, things, rng)
    image, boxes = draw_scene(things, options.side, rng)
    return image, things, boxes, caption
