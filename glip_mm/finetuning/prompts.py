"""How classes stand in the prompt, from a user's JSON file."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

KEYS = ('phrase', 'prefix', 'suffix', 'synonyms')


class ClassPrompts(NamedTuple):
    """Overrides of class names.

    Attributes:
        caption_prompt: Class -> ``{prefix, name, suffix}``, see
            :meth:`glip_mm.text.Prompt.from_names`.
        name_variants: Class -> more ways to write it, drawn in training only.
    """

    caption_prompt: dict[str, dict[str, str]]
    name_variants: dict[str, list[str]]


def read_class_prompts(path: str | Path | None, classes: Sequence[str]) -> ClassPrompts:
    """Read ``{class: {phrase, prefix, suffix, synonyms}}``; every key may be left out.

    Training draws one of the synonyms or the class name for each image; testing says the phrase,
    or else the class name. A class with a phrase has no synonyms.

    Args:
        path: The file; None for no overrides.
        classes: Names that it may use.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is not of this form, or names another class.
    """
    if path is None:
        return ClassPrompts({}, {})
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise FileNotFoundError(f"prompts '{path}' is missing") from None
    except ValueError as error:
        raise ValueError(f"prompts '{path}' is not valid JSON ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"prompts '{path}' must be {{class: {{phrase, prefix, suffix, synonyms}}}}"
                         f', got a {type(content).__name__}')
    strange = sorted(set(content) - set(classes))
    if strange:
        raise ValueError(f"prompts '{path}' names {strange}; the classes are {list(classes)}")
    prompts = ClassPrompts({}, {})
    for name, entry in content.items():
        _check(path, name, entry)
        override = {('name' if k == 'phrase' else k): v for k, v in entry.items()
                    if k != 'synonyms'}
        if override:
            prompts.caption_prompt[name] = override
        if entry.get('synonyms'):
            prompts.name_variants[name] = list(entry['synonyms'])
    return prompts


def _check(path: Any, name: str, entry: Any) -> None:
    if not isinstance(entry, dict) or not set(entry) <= set(KEYS):
        raise ValueError(f"prompts '{path}': '{name}' must be a dict with keys among {KEYS}, got "
                         f'{entry!r}')
    for key, value in entry.items():
        # a single name in place of the list is refused: it would be read letter by letter
        words = [value] if key != 'synonyms' else value if isinstance(value, list) else [None]
        if not all(isinstance(w, str) and (w.strip() or key in KEYS[1:3]) for w in words):
            raise ValueError(f"prompts '{path}': '{name}' has {key}={value!r}; it must be "
                             + ('a list of names' if key == 'synonyms' else 'a text'))
    if 'phrase' in entry and entry.get('synonyms'):
        raise ValueError(f"prompts '{path}': '{name}' has a phrase and synonyms; the phrase always "
                         'takes their place, so give one of the two')
