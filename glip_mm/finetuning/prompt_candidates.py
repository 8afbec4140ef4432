"""Ways to say each class that are worth a try, from a user's file and from templates."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from glip_mm.text import clean_name

from .class_prompts import as_override, check_entry, has_words

#: ``{prefix, name, suffix}`` of one class; ``{}`` is the plain name.
Override = Mapping[str, str]
#: Class -> its override; classes that are not there stand as they are called.
Wordings = Mapping[str, Override]
#: Where the class name goes.
PLACE = '{}'
#: Tried where nothing else is given.
TEMPLATES = ('a {}', '{}s', 'a photo of a {}')
PLAIN: Override = {}


def override_of(candidate: Any, where: str, name: str) -> Override:
    """The override that a candidate means.

    Args:
        candidate: A phrase; a template, in which ``{}`` is the class name; or a dict
            ``{phrase, prefix, suffix}``.
        where: Begins the error messages.
        name: The class.

    Raises:
        ValueError: If it is none of these, or has no words.
    """
    if isinstance(candidate, str):
        if not has_words(candidate.replace(PLACE, 'x')):
            raise ValueError(f"{where}: '{name}' has the candidate {candidate!r}, which holds no "
                             'word')
        before, *rest = candidate.split(PLACE)
        if len(rest) > 1:
            raise ValueError(f"{where}: '{name}' has the template {candidate!r}; {{}} must be in "
                             'it once')
        parts = dict(prefix=before, suffix=rest[0]) if rest else dict(name=candidate)
        return {key: text for key, text in parts.items() if text}
    check_entry(where, name, candidate, ('phrase', 'prefix', 'suffix'))
    if not any(map(has_words, candidate.values())):
        raise ValueError(f"{where}: '{name}' has the candidate {candidate!r}, which changes no "
                         'word')
    return as_override(candidate)


def read_candidates(path: str | Path, classes: Sequence[str]) -> dict[str, list[Override]]:
    """Read ``{class: [candidate, ...]}``, JSON or (``.yml``, ``.yaml``) YAML.

    Args:
        path: The file; for candidates see :func:`override_of`.
        classes: Names that it may use.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is not of this form, or names another class.
    """
    path, where = Path(path), f"candidates '{path}'"
    try:
        text = path.read_text(encoding='utf-8')
        content = yaml.safe_load(text) if path.suffix in ('.yml', '.yaml') else json.loads(text)
    except FileNotFoundError:
        raise FileNotFoundError(f'{where} is missing') from None
    except (ValueError, yaml.YAMLError) as error:
        kind = 'YAML' if path.suffix in ('.yml', '.yaml') else 'JSON'
        raise ValueError(f'{where} is not valid {kind} ({error})') from error
    if not isinstance(content, dict) or not content:
        raise ValueError(f'{where} must be {{class: [candidate, ...]}} for at least one class, '
                         f'got {str(content)[:80]!r}')
    strange = [name for name in content if name not in classes]
    if strange:
        raise ValueError(f'{where} names {strange}; the classes are {list(classes)}')
    for name, candidates in content.items():
        if not isinstance(candidates, list) or not candidates:
            raise ValueError(f"{where}: '{name}' must have a list of candidates that is not "
                             f'empty, got {candidates!r}')
    return {name: [override_of(c, where, name) for c in candidates]
            for name, candidates in content.items()}


def all_candidates(classes: Sequence[str], file: str | Path | None = None,
                   templates: Sequence[str] = (),
                   published: Wordings | None = None) -> dict[str, list[Override]]:
    """What is tried for each class, the plain name first, nothing twice.

    Args:
        classes: All classes.
        file: See :func:`read_candidates`.
        templates: For every class; :data:`TEMPLATES` if there is no file either.
        published: Overrides that come with the data set.

    Returns:
        Classes that have something to try.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If a candidate is wrong.
    """
    own = read_candidates(file, classes) if file is not None else {}
    for template in templates:
        if PLACE not in template:
            raise ValueError(f"--templates '{template}' has no {{}}, where the class name goes")
    if file is None and not templates:
        templates = TEMPLATES
    found = {}
    for name in classes:
        tried = [PLAIN, *filter(None, [(published or {}).get(name)]), *own.get(name, ()),
                 *(override_of(t, '--templates', name) for t in templates)]
        distinct: dict[tuple[str, ...], Override] = {}
        for override in tried:
            # blanks alone are no words
            distinct.setdefault(tuple(p if p.strip() else '' for p in parts_of(name, override)),
                                override)
        if len(distinct) > 1:
            found[name] = list(distinct.values())
    return found


def parts_of(name: str, override: Override) -> tuple[str, str, str]:
    """What stands before a class, the words that are looked for, and what stands after it."""
    return (override.get('prefix', ''), override.get('name', clean_name(name)),
            override.get('suffix', ''))


def wording(name: str, override: Override) -> str:
    """How a class stands in the prompt; brackets are around the words that are looked for.

    Example:
        >>> wording('stingray', dict(suffix=' which is flat'))
        '[stingray] which is flat'
    """
    before, words, after = parts_of(name, override)
    return f'{before}[{words}]{after}'.strip() if (before + after).strip() else words
