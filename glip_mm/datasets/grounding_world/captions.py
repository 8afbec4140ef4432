"""True captions of a scene, with the boxes of every phrase."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from .scene import Thing
from .vocabulary import SHAPES

NUMBERS = {2: 'two', 3: 'three', 4: 'four', 5: 'five', 6: 'six'}
OPENINGS = ('', '', '', 'a picture of ', 'there is ', 'we see ')
#: Openings of captions; none names the picture itself, which would be a phrase without a box.
DESCRIPTIVE_OPENINGS = ('', '', '', 'there is ', 'we see ')

#: Axis of the image, words for the smaller and for the larger coordinate.
RELATIONS = ((0, 'left of', 'right of'), (1, 'above', 'below'))


class Phrase(NamedTuple):
    """Words of a caption and the objects that they name."""

    words: str
    things: tuple[int, ...]     # indices of all objects that the words fit


class Caption(NamedTuple):
    """A caption; ``spans[i]`` is the [begin, end) of ``phrases[i].words`` in it."""

    text: str
    phrases: tuple[Phrase, ...]
    spans: tuple[tuple[int, int], ...]


def _describe(thing: Thing, things: Sequence[Thing], rng: np.random.Generator,
              descriptive: bool) -> Phrase:
    """Describe an object by some of its attributes; the phrase covers all objects that match."""
    style = 0. if descriptive else rng.random()
    extra = .6 if descriptive else .35
    say_size, say_pattern = rng.random() < extra, rng.random() < extra and thing.pattern != 'plain'
    # many phrases name one attribute alone, so that each word is learned independently
    say_colour, say_shape = style < .7, style < .4 or style >= .7
    fits = tuple(
        i for i, other in enumerate(things)
        if (not say_size or other.size == thing.size)
        and (not say_pattern or other.pattern == thing.pattern)
        and (not say_colour or other.pair.colour == thing.pair.colour)
        and (not say_shape or other.pair.shape == thing.pair.shape))
    noun = thing.pair.shape if say_shape else 'object'
    if len(fits) > 1:
        noun = SHAPES[noun] if say_shape else 'objects'
    words = [thing.size] * say_size + [thing.pattern] * say_pattern
    words += [thing.pair.colour] * say_colour + [noun]
    return Phrase(' '.join(words), fits)


def _determiner(phrase: Phrase) -> str:
    if len(phrase.things) > 1:
        return NUMBERS[len(phrase.things)]
    return 'an' if phrase.words[0] in 'aeiou' else 'a'


class Placed(Protocol):
    """What a relation needs of an object: its centre."""

    @property
    def x(self) -> float:
        """Return its column."""

    @property
    def y(self) -> float:
        """Return its row."""


def relation(first: Phrase, second: Phrase, things: Sequence[Placed], rng: np.random.Generator,
             relations: Sequence[tuple[int, str, str]] = RELATIONS) -> str:
    """Return a word for the position of the first phrase's objects relative to the second's."""
    true = ['and', 'next to']
    for axis, before, after in relations:
        a = [(things[i].x, things[i].y)[axis] for i in first.things]
        b = [(things[i].x, things[i].y)[axis] for i in second.things]
        if max(a) < min(b):
            true += [before] * 2
        if min(a) > max(b):
            true += [after] * 2
    return str(rng.choice(true))


def write_caption(things: Sequence[Thing], rng: np.random.Generator,
                  max_phrases: int = 3,
                  relations: Sequence[tuple[int, str, str]] = RELATIONS,
                  descriptive: bool = False) -> Caption | None:
    """Describe some of the objects of a scene.

    Args:
        things: Objects of the scene.
        rng: Source of all randomness.
        max_phrases: Maximum number of phrases; no two of them share an object.
        relations: Relations of :data:`RELATIONS` that may occur.
        descriptive: Whether every phrase names colour and shape, and often size and pattern, as
            image descriptions on the web are longer than referring expressions.

    Returns:
        A caption, or None for a scene without objects.
    """
    wanted = int(rng.integers(1, max_phrases + 1))
    phrases: list[Phrase] = []
    taken: set = set()
    for i in rng.permutation(len(things)):
        phrase = _describe(things[i], things, rng, descriptive)
        if len(phrases) < wanted and not taken & set(phrase.things):
            phrases.append(phrase)
            taken |= set(phrase.things)
    if not phrases:
        return None
    text = str(rng.choice(DESCRIPTIVE_OPENINGS if descriptive else OPENINGS))
    spans = []
    for k, phrase in enumerate(phrases):
        if k:
            text += f' {relation(phrases[k - 1], phrase, things, rng, relations)} '
        text += _determiner(phrase) + ' '
        spans.append((len(text), len(text) + len(phrase.words)))
        text += phrase.words
    return Caption(text, tuple(phrases), tuple(spans))
