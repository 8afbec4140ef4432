"""Objects of a generated image: placement and looks."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from .vocabulary import PATTERNS, SIZES, Pair

#: (Colour and shape, pattern, size) of an object.
Look = tuple[Pair, str, str]


class Thing(NamedTuple):
    """An object. ``x``, ``y`` (centre) and ``radius`` (half width) are in pixels."""

    pair: Pair
    pattern: str
    size: str
    x: float
    y: float
    radius: float

    @property
    def kind(self) -> Pair:
        """Return its class."""
        return self.pair


def _place(rng: np.random.Generator, radius: float, side: int,
           things: Sequence[Thing]) -> np.ndarray | None:
    """Find a free centre ``(x, y)``, or None after 20 attempts."""
    for _ in range(20):
        centre = rng.uniform(radius + 2, side - radius - 2, size=2)
        if all(max(abs(centre[0] - t.x), abs(centre[1] - t.y)) > radius + t.radius + 2
               for t in things):
            return centre
    return None


def any_look(pairs: Sequence[Pair],
             patterns: Sequence[str] = PATTERNS) -> Callable[[np.random.Generator], Look]:
    """Make a sampler of looks from some (colour, shape) pairs and patterns, all equally likely."""
    return lambda rng: (pairs[int(rng.integers(len(pairs)))], str(rng.choice(patterns)),
                        str(rng.choice(list(SIZES))))


def sample_scene(rng: np.random.Generator, draw_look: Callable[[np.random.Generator], Look],
                 side: int, max_things: int = 5) -> list[Thing]:
    """Draw 2 to ``max_things`` objects that do not overlap.

    Args:
        rng: Source of all randomness.
        draw_look: Sampler of an object's look.
        side: Width and height of the image in pixels.
        max_things: Maximum number of objects, copies included.

    Returns:
        The objects; a third of the scenes repeat one, so that captions can count.
    """
    wanted = int(rng.integers(2, max_things + 1))
    copies = int(rng.integers(2, 4)) if rng.random() < 0.35 else 1
    things: list[Thing] = []
    look = None
    while wanted > 0:
        if look is None or copies <= 0:
            look = draw_look(rng)
        radius = float(rng.uniform(*SIZES[look[2]])) * side
        centre = _place(rng, radius, side, things)
        if centre is not None:
            things.append(Thing(*look, float(centre[0]), float(centre[1]), radius))
        wanted -= 1
        copies -= 1
    return things
