"""Score thresholds: one for all names, or one for each."""

import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from glip_mm.atomic_files import write_atomically
from glip_mm.text.safe_json import load_json
from glip_mm.text.text_file import read_text

#: What the file of a model's thresholds is called: ``FILE.thresholds.json`` beside ``FILE.pth``.
SUFFIX = '.thresholds.json'


@dataclass(frozen=True)
class Thresholds:
    """Scores from which boxes count.

    Args:
        default: Threshold of names that have none of their own.
        by_name: Name -> threshold.
        stored: Names that come from a file, and may be those of another prompt.

    Raises:
        ValueError: If a threshold is no number from 0 to 1.
    """

    default: float = 0.3
    by_name: Mapping[str, float] = field(default_factory=dict)
    stored: Collection[str] = field(default=(), repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.by_name, Mapping):
            raise ValueError(f'thresholds by name are a dict, got {self.by_name!r}')
        for name, value in {'': self.default, **self.by_name}.items():
            known = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not known or not 0 <= value <= 1:
                of = f' of {name!r}' if name else ''
                raise ValueError(f'threshold{of} {value!r}: give a number from 0 to 1')

    @classmethod
    def of(cls, value: 'Thresholds | float | Mapping[str, float]') -> 'Thresholds':
        """Take a number, a dict from names to numbers, or thresholds.

        Example:
            >>> Thresholds.of({'cup': 0.5}).at(['cup', 'plate']).tolist()
            [0.5, 0.3]
        """
        if isinstance(value, Thresholds):
            return value
        return cls(by_name=dict(value)) if isinstance(value, Mapping) else cls(value)

    @classmethod
    def parse(cls, words: Sequence[str]) -> 'Thresholds':
        """Read the words of a command line: a number, ``NAME=NUMBER``, or a file of :meth:`save`.

        Later words win.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If a word is none of these.

        Example:
            >>> Thresholds.parse(['0.2', 'coffee maker=0.5']).by_name
            {'coffee maker': 0.5}
        """
        found = cls()
        for word in words:
            name, equals, number = word.rpartition('=')
            if word.endswith('.json'):
                found = cls.read(word)
                continue
            try:
                value = float(number)
            except ValueError:
                raise ValueError(f'{word!r} is no threshold: give a number, NAME=NUMBER or a JSON '
                                 'file of thresholds') from None
            found = cls(found.default, {**found.by_name, name: value},
                        [one for one in found.stored if one != name]) if equals else (
                            cls(value, found.by_name, found.stored))
        return found

    @classmethod
    def read(cls, path: str | Path) -> 'Thresholds':
        """Read a file of :meth:`save`.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it holds something else.
        """
        path = Path(path)
        if not os.path.lexists(path):
            raise FileNotFoundError(f"there is no file of thresholds '{path}'")
        try:
            content = load_json(read_text(path))
            return cls(content['default'], content['thresholds'], tuple(content['thresholds']))
        except (FileNotFoundError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"'{path}' is no file of thresholds, such as {{\"default\": 0.3, "
                             f'"thresholds\": {{\"cup\": 0.5}}}}: {error}') from None

    @classmethod
    def beside(cls, checkpoint: str | Path | None) -> 'Thresholds':
        """Read the file beside a checkpoint; the defaults if there is none."""
        if checkpoint is None or not os.path.lexists(path := thresholds_file(checkpoint)):
            return cls()
        return cls.read(path)

    def save(self, path: str | Path) -> Path:
        """Write a JSON file, atomically."""
        content = dict(default=self.default, thresholds=dict(self.by_name))
        text = json.dumps(content, ensure_ascii=False, indent=1) + '\n'
        return write_atomically(path, text.encode())

    def at(self, names: Sequence[str]) -> np.ndarray:
        """Return the threshold of each name, ``[K]``."""
        return np.array([self.by_name.get(name, self.default) for name in names], np.float32)

    def of_others(self, names: Iterable[str]) -> list[str]:
        """Return the names that somebody gave a threshold, and that are none of ``names``."""
        return sorted(set(self.by_name).difference(names, self.stored))

    def __str__(self) -> str:
        return ', '.join([f'{self.default:g}', *(
            f'{name} {value:g}' for name, value in self.by_name.items())])


def thresholds_file(checkpoint: str | Path) -> Path:
    """Return where the thresholds of a checkpoint are stored."""
    return Path(checkpoint).with_suffix(SUFFIX)
