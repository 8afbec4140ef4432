"""What a language model makes of class names, where it is not what their author meant."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .names import SEPARATORS
from .prompt import Prompt

#: Number of tokens from which a class name is suspicious.
LONG = 32


class NameProblems(NamedTuple):
    """Class names that hardly mean what they say.

    Attributes:
        same: Names that the model reads as the same words: ``(words, names)``.
        unknown: Names that hold a token [UNK].
        long: Names as long as sentences, with their number of tokens.
        joined: Names that look like several, or end with a full stop.
    """

    same: list[tuple[str, list[str]]]
    unknown: list[str]
    long: list[tuple[str, int]]
    joined: list[str]

    def messages(self) -> list[str]:
        """Describe each kind that occurs."""
        found = []
        if self.same:
            found.append('the model cannot tell these classes apart, their names are the same '
                         'after cleaning: ' + '; '.join(f'{words!r} <- {names}'
                                                        for words, names in self.same))
        if self.unknown:
            found.append('the language model does not know these names, or parts of them, and '
                         f'reads them as [UNK]: {self.unknown}')
        if self.long:
            long = ', '.join(f'{name[:60]!r}... ({count} tokens)' for name, count in self.long)
            found.append('these names are whole sentences, and a box scores the mean over all '
                         f'their words: {long}')
        if self.joined:
            found.append('these hold marks that separate names elsewhere, and each is taken as '
                         f"one name: {self.joined} (in one string, '. ' is between names)")
        return found


def find_name_problems(prompt: Prompt, texts: Sequence[str],
                       tokenize: Callable[[Sequence[str]], Sequence[Sequence[int]]],
                       unknown_id: int | None) -> NameProblems:
    """Find names with equal tokens, unknown to the vocabulary, very long, or really several.

    Args:
        prompt: Prompt of class names; one of a caption has no problems.
        texts: What the model reads for each class; more than the name if it has a definition.
        tokenize: From texts to token ids, without special tokens.
        unknown_id: Id of [UNK].
    """
    same: dict[tuple[int, ...], list[tuple[str, str]]] = defaultdict(list)
    unknown, long, joined = [], [], []
    written = [prompt.caption[begin:end] for begin, end in prompt.pieces or ()]
    if not written:
        return NameProblems([], [], [], [])
    for name, words, piece, ids, own in zip(prompt.names, texts, written, tokenize(texts),
                                            tokenize(written)):
        same[tuple(ids)].append((name, words))
        if unknown_id in ids:
            unknown.append(name)
        if len(own) > LONG:
            long.append((name, len(own)))
        if any(mark in f'{piece.strip()} ' for mark in SEPARATORS):
            joined.append(name)
    same.pop((), None)  # blank names own no token, which has a warning of its own
    return NameProblems(
        [(' '.join(of_one[0][1].lower().split()), [name for name, _ in of_one])
         for of_one in same.values() if len(of_one) > 1], unknown, long, joined)
