"""Vocabulary of the grounding world, and its part that training never sees."""

from typing import NamedTuple

COLOURS: dict[str, tuple[int, int, int]] = {
    'red': (214, 34, 38), 'orange': (245, 134, 20), 'yellow': (248, 224, 40),
    'green': (36, 158, 62), 'blue': (38, 84, 214), 'purple': (134, 46, 172),
    'white': (246, 246, 244), 'black': (22, 22, 26)}
"""Colour words and their RGB values."""

SHAPES: dict[str, str] = {
    'circle': 'circles', 'square': 'squares', 'triangle': 'triangles', 'star': 'stars',
    'heart': 'hearts', 'cross': 'crosses', 'ring': 'rings', 'arrow': 'arrows'}
"""Shape words and their plurals."""

PATTERNS: tuple[str, ...] = ('plain', 'striped', 'dotted', 'checkered')
"""``plain`` is never said; the others are words of captions."""

SIZES: dict[str, tuple[float, float]] = {'small': (0.08, 0.10), 'large': (0.14, 0.18)}
"""Size words and the range of the half width, in image widths."""

SYNONYMS: dict[str, str] = {
    'red': 'scarlet', 'purple': 'violet', 'circle': 'disk', 'square': 'box'}
"""Seen word -> a word that no training text holds."""


class Pair(NamedTuple):
    """A detection class: a colour and a shape."""

    colour: str
    shape: str

    @property
    def name(self) -> str:
        """Return the class name, such as ``'red circle'``."""
        return f'{self.colour} {self.shape}'

    @property
    def synonym(self) -> str:
        """Return the class name with every word replaced that has a held-out synonym."""
        return ' '.join(SYNONYMS.get(word, word) for word in self)


def all_pairs() -> list[Pair]:
    """List the 64 pairs, in the order of the category ids."""
    return [Pair(colour, shape) for colour in COLOURS for shape in SHAPES]


def is_held_out(pair: Pair) -> bool:
    """Return whether a pair is held out of all images and texts of the training.

    A fifth of the pairs (13 of 64), spread along diagonals: every colour and every shape keeps
    at least six seen partners.
    """
    colour, shape = list(COLOURS).index(pair.colour), list(SHAPES).index(pair.shape)
    return (3 * colour + shape) % 5 == 0


def seen_pairs() -> list[Pair]:
    """List the pairs that training may show and name."""
    return [pair for pair in all_pairs() if not is_held_out(pair)]


def held_out_pairs() -> list[Pair]:
    """List the pairs that only validation and test show and name."""
    return [pair for pair in all_pairs() if is_held_out(pair)]
