"""Class names of a label map with their token counts, computed once.

Letters: ``C`` classes, ``V`` variants of their names (at least one per class).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from glip_mm.text import CaptionPrompt, Prompt, clean_name
from glip_mm.text.caption_prompt import overrides_by_position

CountTokens = Callable[[str], int]
Random = Any  # np.random, or a np.random.RandomState

#: Class 0 of TSV label maps; it names nothing and must not occur in a prompt.
BACKGROUND = '__background__'


class ClassVocabulary:
    """Class names, their variants, and the tokens of each.

    A row is a class (in ascending order of label), a form is one variant of its name. Nothing here
    changes after construction, so that all samples can share it.

    Args:
        names: Class names by label.
        count_tokens: Function that counts the tokens of a text.
        separator: Text between names. Published prompts count ``'. '`` whatever the separator
            is; one with more tokens is counted as it is, so that no name is ever truncated.
        variants: Synonyms of a class, by its name.
        split_alternatives: Whether to read ``'a/b'`` as two variants of a class.
        caption_prompt: Overrides ``prefix``, ``name`` and ``suffix``, by class name or by position
            in the order of labels. As in the published training (not in its evaluation) an
            override's ``name`` is cleaned.

    Attributes:
        labels: ``[C]`` int64, ascending.
        can_be_negative: ``[C]`` bool, all except the background.
        says_something: ``[V]`` bool, whether the name owns a token.
    """

    def __init__(self, names: Mapping[int, str], count_tokens: CountTokens, separator: str = '. ',
                 variants: Mapping[str, Sequence[str]] | None = None,
                 split_alternatives: bool = False,
                 caption_prompt: CaptionPrompt | None = None) -> None:
        ordered = dict(sorted(names.items()))
        self.labels = np.fromiter(ordered, dtype=np.int64, count=len(ordered))
        self.names: list[str] = list(ordered.values())
        self.separator = separator
        self.can_be_negative = np.array([name != BACKGROUND for name in self.names], dtype=bool)
        more = max(0, count_tokens(separator.rstrip() or separator) - 1)
        self._row = {int(label): row for row, label in enumerate(self.labels)}
        self._overrides: list[dict[str, str]] = []
        forms: list[int] = []
        reads: dict[str, int] = {}
        for name, override in zip(self.names, overrides_by_position(self.names, caption_prompt)):
            texts = [override['name']] if 'name' in override else ways_to_write(
                name, (variants or {}).get(name, ()), split_alternatives)
            forms.append(len(texts))
            self._overrides += [dict(override, name=clean_name(text)) for text in texts]
        self.forms = np.array(forms, dtype=np.int64)  # [C]
        self.first_form = np.cumsum(self.forms) - self.forms  # [C]
        self.row_of_form = np.repeat(np.arange(len(self.forms)), self.forms)  # [V]
        written = [o.get('prefix', '') + o['name'] + o.get('suffix', '') for o in self._overrides]
        self.costs = np.array([count_tokens(text + '. ') + more for text in written],
                              dtype=np.int64)  # [V]
        self.says_something = np.array([count_tokens(o['name']) > 0 for o in self._overrides],
                                       dtype=bool)  # [V]
        # forms with the same text share a number
        self.reading = np.array([reads.setdefault(o['name'].strip().lower(), len(reads))
                                 for o in self._overrides], dtype=np.int64)  # [V]

    def rows(self, labels: Iterable[int]) -> np.ndarray:
        """Return the rows of labels.

        Raises:
            KeyError: If the label map does not have the label; names it.
        """
        return np.array([self._row[int(label)] for label in labels], dtype=np.int64)

    def write(self, rows: np.ndarray, rng: Random) -> np.ndarray:
        """Draw one form for each row; nothing is drawn if every class has only one."""
        forms = self.first_form[rows]
        if len(self.row_of_form) == len(self.forms):
            return forms
        return forms + (rng.random_sample(len(rows)) * self.forms[rows]).astype(np.int64)

    def all_readings(self, rows: np.ndarray) -> np.ndarray:
        """Return the texts (as numbers) of all forms of some rows."""
        return self.reading[np.isin(self.row_of_form, rows)]

    def label_of(self, forms: np.ndarray) -> list[int]:
        """Return the labels of forms."""
        return self.labels[self.row_of_form[forms]].tolist()

    def prompt(self, forms: np.ndarray, beginning: str = '') -> Prompt:
        """Join forms to a prompt, in order.

        Args:
            forms: Indices of the forms.
            beginning: Text before the first name, which belongs to no class.

        Raises:
            ValueError: If the forms contain no word.
        """
        overrides = [self._overrides[form] for form in forms]
        if beginning and overrides:
            prefix = beginning + overrides[0].get('prefix', '')
            overrides[0] = dict(overrides[0], prefix=prefix)
        return Prompt.from_names([self.names[row] for row in self.row_of_form[forms]],
                                 self.separator, overrides)


def ways_to_write(name: str, variants: Sequence[str], split_alternatives: bool) -> tuple[str, ...]:
    """Return the name (or its alternatives ``a/b``) and its variants, each once.

    Example:
        >>> ways_to_write('cup/mug', ['beaker'], split_alternatives=True)
        ('cup', 'mug', 'beaker')
    """
    parts = [part.strip() for part in name.split('/')] if split_alternatives else [name]
    return tuple(dict.fromkeys([part for part in parts if part] + list(variants))) or (name, )
