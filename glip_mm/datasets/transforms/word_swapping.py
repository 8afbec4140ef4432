"""Exchange of words such as left and right in a text, with a map of character positions."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from glip_mm.text import Entity, Prompt

#: Words to exchange when an image is flipped.
MIRRORED_WORDS = (('left', 'right'), ('leftmost', 'rightmost'), ('leftward', 'rightward'),
                  ('leftwards', 'rightwards'), ('lefthand', 'righthand'),
                  ('leftside', 'rightside'))


class Swapped(NamedTuple):
    """A text after the exchange of words.

    Attributes:
        text: New text.
        begins: ``[len(old) + 1]`` new position of a span's beginning for each old position.
        ends: ``[len(old) + 1]`` new position of a span's end for each old position.
    """

    text: str
    begins: np.ndarray
    ends: np.ndarray

    def span(self, begin: int, end: int) -> tuple[int, int]:
        """Map an old span to the new text; a span that cuts an exchanged word takes all of it."""
        return int(self.begins[begin]), int(self.ends[end])


class WordSwapper:
    """Exchange of whole words, keeping their case (``Left``, ``LEFT``).

    A word ends where letters and digits end: ``left-hand`` and ``left_shoe`` contain ``left``,
    ``copyright`` does not contain ``right``. Meaning is not considered: ``a cake left over`` is
    changed, too.

    Args:
        pairs: Words to exchange, in lower case.

    Example:
        >>> WordSwapper()('The Left man, right of it').text
        'The Right man, left of it'
    """

    def __init__(self, pairs: Sequence[Sequence[str]] = MIRRORED_WORDS) -> None:
        self.partner = {a: b for pair in pairs for a, b in (pair, reversed(pair))}
        words = '|'.join(sorted(map(re.escape, self.partner), key=len, reverse=True))
        self.pattern = re.compile(rf'(?<![^\W_])(?:{words})(?![^\W_])', re.IGNORECASE)

    def says(self, text: str) -> bool:
        """Return whether there is a word to exchange."""
        return self.pattern.search(text) is not None

    def replace(self, text: str) -> str:
        """Exchange words in a text whose positions do not matter."""
        return self.pattern.sub(lambda match: self._word(match.group()), text)

    def __call__(self, text: str) -> Swapped:
        """Exchange words in a text.

        Args:
            text: Text to change.

        Returns:
            The new text with its character positions.
        """
        begins, ends = np.arange(len(text) + 1), np.arange(len(text) + 1)
        parts: list[str] = []
        done = shift = 0
        for match in self.pattern.finditer(text):
            word, (begin, end) = self._word(match.group()), match.span()
            parts += [text[done:begin], word]
            begins[begin:end] = begin + shift
            begins[end:] += len(word) - (end - begin)
            ends[begin + 1:end] = begin + shift + len(word)
            ends[end:] += len(word) - (end - begin)
            done, shift = end, shift + len(word) - (end - begin)
        return Swapped(''.join(parts) + text[done:], begins, ends)

    def prompt(self, prompt: Prompt) -> Prompt:
        """Exchange words in a prompt's caption and names."""
        if not self.says(prompt.caption):
            return prompt
        new = self(prompt.caption)
        entities = tuple(Entity(self.replace(entity.name),
                                tuple(new.span(*span) for span in entity.spans))
                         for entity in prompt.entities)
        pieces = prompt.pieces and tuple(new.span(*piece) for piece in prompt.pieces)
        return Prompt(new.text, entities, pieces, prompt.separator)

    def _word(self, found: str) -> str:
        word = self.partner[found.lower()]
        if found.isupper():
            return word.upper()
        return word.capitalize() if found[0].isupper() else word


def move_spans(spans: Any, swapped: Swapped) -> Any:
    """Map old spans to new ones, at any nesting depth."""
    if len(spans) == 2 and not any(isinstance(x, (list, tuple)) for x in spans):
        return list(swapped.span(*map(int, spans)))
    return [move_spans(inner, swapped) for inner in spans]
