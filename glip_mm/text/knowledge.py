"""Knowledge files: definitions of classes that follow their names in a prompt."""
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from glip_mm.text.safe_json import load_json

from .names import clean_name
from .text_file import read_text

_NAMES = ('name', 'clean_name')


class ClassKnowledge(NamedTuple):
    """Knowledge about a class."""
    #: Name in the file, ``None`` if it has none.
    clean_name: str | None
    #: Definition, ``''`` if there is none.
    definition: str


class Knowledge:
    """Definitions of classes, from a YAML or JSON file.

    The file maps a class name to its definition, to a list of definitions, or to fields as in the
    files that GLIP's authors publish: ``clean_name`` (how the class is written), ``def_wiki``,
    ``def_wn``, ``gpt3`` (a list of definitions), ``path_wn`` (a list of words), ... A field that is
    null or empty is ignored.

    Args:
        path: Path of the file.
        types: Name of the field to use, or several, whose texts are joined in this order
            (``['def_wiki', 'gpt3']`` is the published ``WIKI_AND_GPT3``). Required if the file
            has fields.
        max_definitions: Maximum number of definitions from a list. ``path_...`` counts as one.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is not of this form, or has no such field.
    """

    def __init__(self, path: str | Path, types: str | Sequence[str] | None = None,
                 max_definitions: int = 5) -> None:
        if max_definitions < 1:
            raise ValueError(f'max_definitions={max_definitions} must be at least 1')
        self.path, self.max_definitions = path, max_definitions
        self.types = [types] if isinstance(types, str) else list(types or ())
        content = _read(Path(path))
        self._check_types(content)
        self._entries = {name: self._entry(name, value) for name, value in content.items()}
        self._folded: dict[str, list[str]] = {}
        for name in self._entries:
            self._folded.setdefault(_fold(name), []).append(name)

    def __call__(self, name: str) -> ClassKnowledge | None:
        """Look up a class, first by its exact name, then cleaned and case-insensitively.

        Args:
            name: Raw class name.

        Returns:
            The knowledge; ``None`` if the file has no such class.

        Raises:
            ValueError: If several classes of the file differ only in case.
        """
        if name in self._entries:
            return self._entries[name]
        alike = self._folded.get(_fold(name), ())
        if len({self._entries[other] for other in alike}) > 1:
            raise ValueError(f"knowledge '{self.path}': the class {name!r} may be any of "
                             f'{list(alike)}; add an entry with exactly its name')
        return self._entries[alike[0]] if alike else None

    def _check_types(self, content: Mapping[str, Any]) -> None:
        fields = sorted({str(key) for value in content.values() if isinstance(value, Mapping)
                         for key in value} - set(_NAMES))
        if fields and not self.types:
            raise ValueError(f"knowledge '{self.path}' has the fields {fields}: choose one or "
                             'several as knowledge_type')
        unknown = [t for t in self.types if t not in fields]
        if unknown:
            raise ValueError(f"knowledge '{self.path}' has no field {unknown} (knowledge_type); "
                             + (f'it has {fields}' if fields else
                                'it has plain definitions, so leave knowledge_type out'))

    def _entry(self, name: str, value: Any) -> ClassKnowledge:
        where = f"knowledge '{self.path}': {name!r}"
        if not isinstance(value, Mapping):
            return ClassKnowledge(None, self._join(where, value))
        written = value.get('clean_name')
        if not isinstance(written, str | None):
            raise ValueError(f'{where} has clean_name={written!r}; it must be a text')
        parts = (self._join(f"{where}, field '{t}'", value.get(t), t.startswith('path'))
                 for t in self.types)
        return ClassKnowledge(written, ' '.join(part for part in parts if part))

    def _join(self, where: str, value: Any, whole: bool = False) -> str:
        texts = value if isinstance(value, list) else [] if value is None else [value]
        if not all(isinstance(text, str) for text in texts):
            raise ValueError(f'{where} must be a definition, a list of definitions or null, got '
                             f'{value!r}; numbers and words such as yes need quotes')
        return ' '.join(' '.join(texts if whole else texts[:self.max_definitions]).split())


def _fold(name: str) -> str:
    return ' '.join(clean_name(name).casefold().split())


def _read(path: Path) -> dict[str, Any]:
    """Read the mapping in a file."""
    try:
        text = read_text(path)
    except (FileNotFoundError, ValueError) as error:
        raise type(error)(f'knowledge {error}') from error
    if path.suffix == '.json':
        try:
            content = load_json(text)
        except ValueError as error:
            raise ValueError(f"knowledge '{path}' is not valid JSON ({error})") from error
    elif path.suffix in ('.yaml', '.yml'):
        content = _load_yaml(path, text)
    else:
        raise ValueError(f"knowledge '{path}' must be called .yaml, .yml or .json")
    if not isinstance(content, dict) or not content:
        raise ValueError(f"knowledge '{path}' must map class names to definitions, for example "
                         '{"jetski": "a small vehicle on water"}, got '
                         f'{type(content).__name__ if content else "nothing"}')
    for name in content:
        if not isinstance(name, str):
            raise ValueError(f"knowledge '{path}': the class name {name!r} is not a text: put it "
                             'in quotes')
    return content


def _load_yaml(path: Path, text: str) -> Any:
    import yaml

    from .safe_yaml import load_yaml
    try:
        # the C loader is much faster, but not available everywhere
        return load_yaml(text, getattr(yaml, 'CSafeLoader', yaml.SafeLoader))
    except yaml.YAMLError as error:
        reason = ' '.join(str(error).split())
        raise ValueError(f"knowledge '{path}' is not valid YAML ({reason})") from error
