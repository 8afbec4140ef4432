"""Wordings of classes in the prompt, from a user's JSON file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from glip_mm.datasets.data_error import DataError, read_json

KEYS = ('phrase', 'prefix', 'suffix', 'synonyms')


class ClassPrompts(NamedTuple):
    """Overrides of class names.

    Attributes:
        caption_prompt: Class -> ``{prefix, name, suffix}``, see
            :meth:`glip_mm.text.Prompt.from_names`.
        name_variants: Class -> synonyms, drawn in training only.
    """

    caption_prompt: dict[str, dict[str, str]]
    name_variants: dict[str, list[str]]


def read_class_prompts(path: str | Path | None, classes: Sequence[str]) -> ClassPrompts:
    """Read ``{class: {phrase, prefix, suffix, synonyms}}``; every key is optional.

    Training draws one of the synonyms or the class name for each image; testing uses the phrase,
    or else the class name. A class with a phrase has no synonyms.

    Args:
        path: Path of the file; None for no overrides.
        classes: Names of the allowed classes.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is not of this form, or names another class.
    """
    if path is None:
        return ClassPrompts({}, {})
    try:
        content = read_json(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"prompts '{path}' is missing") from None
    except DataError as error:
        raise DataError(f'prompts {error}') from error
    if not isinstance(content, dict):
        raise ValueError(f"prompts '{path}' must be {{class: {{phrase, prefix, suffix, synonyms}}}}"
                         f', got a {type(content).__name__}')
    strange = sorted(set(content) - set(classes))
    if strange:
        raise ValueError(f"prompts '{path}' names {strange}; the classes are {list(classes)}")
    prompts = ClassPrompts({}, {})
    for name, entry in content.items():
        check_entry(f"prompts '{path}'", name, entry)
        override = as_override(entry)
        if override:
            prompts.caption_prompt[name] = override
        if entry.get('synonyms'):
            prompts.name_variants[name] = list(entry['synonyms'])
    return prompts


def as_override(entry: Mapping[str, Any]) -> dict[str, str]:
    """Convert a user's ``{phrase, prefix, suffix}`` to a prompt's ``{name, prefix, suffix}``."""
    return {('name' if k == 'phrase' else k): v for k, v in entry.items() if k != 'synonyms'}


def check_entry(where: str, name: str, entry: Any, keys: Sequence[str] = KEYS) -> None:
    """Check the entry of a class.

    Args:
        where: Beginning of error messages.
        name: Name of the class.
        entry: Entry, which should be a dict.
        keys: Names of the allowed keys.

    Raises:
        ValueError: If it is not of this form, or has no words.
    """
    if not isinstance(entry, dict) or not set(entry) <= set(keys):
        raise ValueError(f"{where}: '{name}' must be a dict with keys among {tuple(keys)}, got "
                         f'{entry!r}')
    for key, value in entry.items():
        # a string instead of the list is refused: it would be read letter by letter
        words = [value] if key != 'synonyms' else value if isinstance(value, list) else [None]
        if not all(isinstance(w, str) and (has_words(w) or key in KEYS[1:3]) for w in words):
            raise ValueError(f"{where}: '{name}' has {key}={value!r}; it must be "
                             + ('a list of names' if key == 'synonyms' else 'a text'
                                + ' with words' * (key == 'phrase')))
    if 'phrase' in entry and entry.get('synonyms'):
        raise ValueError(f"{where}: '{name}' has a phrase and synonyms; the phrase always "
                         'takes their place, so give one of the two')


def has_words(text: str) -> bool:
    """Return whether a text has a letter or a digit: others mean nothing to a language model."""
    return any(map(str.isalnum, text))
