"""Captions of pictograms: names, synonyms, groups, counts, colours, sizes and relations."""

from collections.abc import Sequence

import numpy as np

from glip_mm.datasets.grounding_world.captions import (
    DESCRIPTIVE_OPENINGS,
    NUMBERS,
    Caption,
    Phrase,
    relation,
)

from .scene import Thing
from .words import HYPERNYMS, is_plural, plural


def _describe(thing: Thing, things: Sequence[Thing],
              rng: np.random.Generator) -> tuple[str, Phrase]:
    """Name a thing; return a determiner and the phrase, for all things that its words fit."""
    groups = [word for word in thing.kind.hypernyms if HYPERNYMS[word].spoken]
    synonyms = thing.kind.spoken_synonyms
    chance = rng.random()
    if groups and chance < .2:
        noun = str(rng.choice(groups))
        many = HYPERNYMS[noun].plural
        fits = [i for i, other in enumerate(things) if noun in other.kind.hypernyms]
    else:
        noun = str(rng.choice(synonyms)) if synonyms and chance < .4 else thing.kind.name
        many = plural(noun)
        fits = [i for i, other in enumerate(things) if other.kind == thing.kind]
    words = []
    if thing.size and rng.random() < .2:
        words.append(thing.size)
        fits = [i for i in fits if things[i].size == thing.size]
    if thing.tint and rng.random() < .6:
        words.append(thing.tint)
        fits = [i for i in fits if things[i].tint == thing.tint]
    text = ' '.join([*words, many if len(fits) > 1 else noun])
    if is_plural(noun):  # one pair of scissors or three: 'scissors'
        determiner = ''
    elif len(fits) > 1:
        determiner = NUMBERS[len(fits)] + ' '
    else:
        determiner = 'an ' if text[0] in 'aeiou' else 'a '
    return determiner, Phrase(text, tuple(fits))


def write_caption(things: Sequence[Thing], rng: np.random.Generator, max_phrases: int = 3,
                  keywords: float = 0.) -> Caption | None:
    """Describe some of the things of a scene.

    Args:
        things: Things of the scene.
        rng: Source of all randomness.
        max_phrases: Maximum number of phrases; no two of them share a thing.
        keywords: Share of the captions that end with keywords of a thing, as texts of the web do.

    Returns:
        A caption, or None for a scene without things.
    """
    wanted = int(rng.integers(1, max_phrases + 1))
    phrases: list[Phrase] = []
    determiners: list[str] = []
    taken: set[int] = set()
    for i in rng.permutation(len(things)):
        determiner, phrase = _describe(things[i], things, rng)
        if len(phrases) < wanted and not taken & set(phrase.things):
            phrases.append(phrase)
            determiners.append(determiner)
            taken |= set(phrase.things)
    if not phrases:
        return None
    text = str(rng.choice(DESCRIPTIVE_OPENINGS))
    spans = []
    for k, phrase in enumerate(phrases):
        if k:
            text += f' {relation(phrases[k - 1], phrase, things, rng)} '
        text += determiners[k]
        spans.append((len(text), len(text) + len(phrase.words)))
        text += phrase.words
    if rng.random() < keywords:
        words = things[phrases[0].things[0]].kind.keywords
        text += ''.join(f', {word}' for word in rng.permutation(words)[:2])
    return Caption(text, tuple(phrases), tuple(spans))
