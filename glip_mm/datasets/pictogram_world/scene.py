"""Scenes of pictograms: which things lie where, how large, turned, mirrored and tinted."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from .vocabulary import Kind
from .words import HYPERNYMS

#: Colours that a thing may be tinted with, and their RGB values.
TINTS: dict[str, tuple[int, int, int]] = {
    'red': (225, 40, 40), 'orange': (245, 140, 30), 'yellow': (245, 225, 50),
    'green': (50, 170, 70), 'blue': (50, 90, 225), 'purple': (145, 60, 185),
    'pink': (245, 140, 190)}
#: Sizes and the range of half the longer side, in image widths.
SIZES: dict[str, tuple[float, float]] = {'small': (.08, .11), '': (.11, .15), 'large': (.15, .2)}
#: Largest part of a thing's square that another one's may cover.
OVERLAP = .3


class Thing(NamedTuple):
    """A thing in an image.

    Attributes:
        kind: What it is.
        style: Family of its drawing.
        tint: Key of :data:`TINTS`, or empty for its own colours.
        size: Key of :data:`SIZES`.
        x: Centre in pixels.
        y: Centre in pixels.
        radius: Half the longer side in pixels.
        angle: Rotation in degrees.
        mirrored: Whether left and right are swapped.
    """

    kind: Kind
    style: str
    tint: str
    size: str
    x: float
    y: float
    radius: float
    angle: float
    mirrored: bool


def _place(rng: np.random.Generator, radius: float, side: int,
           things: Sequence[Thing]) -> np.ndarray | None:
    """Find a centre ``(x, y)`` that covers no thing much, or None after 20 attempts."""
    for _ in range(20):
        centre = rng.uniform(radius, side - radius, size=2)
        for thing in things:
            reach = np.array([radius + thing.radius] * 2)
            common = np.clip(reach - abs(centre - (thing.x, thing.y)), 0, None)
            smaller = 2 * min(radius, thing.radius)
            if np.minimum(common, smaller).prod() > OVERLAP * smaller**2:
                break
        else:
            return centre
    return None


def _companion(kind: Kind, kinds: Sequence[Kind], rng: np.random.Generator) -> Kind | None:
    """Draw another thing that a hypernym of captions names, too, so that captions have groups."""
    words = [word for word in kind.hypernyms if HYPERNYMS[word].spoken]
    if not words:
        return None
    # the narrowest says most
    others = [other for other in kinds if words[-1] in other.hypernyms and other != kind]
    return others[int(rng.integers(len(others)))] if others else None


def sample_scene(rng: np.random.Generator, draw_kind: Callable[[np.random.Generator], Kind],
                 kinds: Sequence[Kind], styles: Sequence[str], side: int,
                 max_things: int = 6) -> list[Thing]:
    """Draw 2 to ``max_things`` things, which may cover one another a little.

    Args:
        rng: Source of all randomness.
        draw_kind: Sampler of what a thing is.
        kinds: All that may be shown.
        styles: Families of drawings.
        side: Width and height of the image in pixels.
        max_things: Maximum number of things.

    Returns:
        The things, from the lowest to the topmost. A third of the scenes repeat one, so that
        captions can count, another third hold two of one group.
    """
    wanted = int(rng.integers(2, max_things + 1))
    first = draw_kind(rng)
    chosen: list[Kind] = [first]
    what = rng.random()
    if what < 1 / 3:
        chosen += [first] * int(rng.integers(1, 3))
    elif what < 2 / 3 and (other := _companion(first, kinds, rng)) is not None:
        chosen.append(other)
    chosen += [draw_kind(rng) for _ in range(wanted - len(chosen))]
    things: list[Thing] = []
    for index in rng.permutation(len(chosen[:wanted])):
        kind = chosen[index]
        size = str(rng.choice(list(SIZES)))
        radius = float(rng.uniform(*SIZES[size])) * side
        tinted = rng.random() < .25 and not kind.has_colour
        angle = rng.uniform(-180, 180) if rng.random() < .1 else rng.uniform(-25, 25)
        look = (str(rng.choice(styles)), str(rng.choice(list(TINTS))) if tinted else '', size)
        mirrored = bool(rng.random() < .5)
        centre = _place(rng, radius, side, things)
        if centre is not None:
            things.append(Thing(kind, *look, float(centre[0]), float(centre[1]), radius,
                                float(angle), mirrored))
    return things
