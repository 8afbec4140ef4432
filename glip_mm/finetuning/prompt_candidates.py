"""Candidate wordings of classes, from a user's file and from templates."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from glip_mm.datasets.data_error import DataError, read_text
from glip_mm.text import clean_name
from glip_mm.text.names import listed
from glip_mm.text.safe_json import load_json
from glip_mm.text.safe_yaml import load_yaml

from .class_prompts import as_override, check_entry, has_words

#: ``{prefix, name, suffix}`` of one class; ``{}`` is the plain name.
Override = Mapping[str, str]
#: Class -> its override; other classes keep their plain names.
Wordings = Mapping[str, Override]
#: Placeholder of the class name.
PLACE = '{}'
#: Templates used if neither a file nor templates are given.
TEMPLATES = ('a {}', '{}s', 'a photo of a {}')
PLAIN: Override = {}


def override_of(candidate: Any, where: str, name: str) -> Override:
    """Convert a candidate to an override.

    Args:
        candidate: A phrase; a template, in which ``{}`` is the class name; or a dict
            ``{phrase, prefix, suffix}``.
        where: Beginning of error messages.
        name: Name of the class.

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
        path: Path of the file; for candidates see :func:`override_of`.
        classes: Names of the allowed classes.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is not of this form, or names another class.
    """
    path, where = Path(path), f"candidates '{path}'"
    try:
        text = read_text(path)
        content = load_yaml(text) if path.suffix in ('.yml', '.yaml') else load_json(text)
    except (DataError, FileNotFoundError) as error:
        raise type(error)(f'candidates {error}') from None
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
                   templates: str | Sequence[str] = (),
                   published: Wordings | None = None) -> dict[str, list[Override]]:
    """Collect the candidates of each class, the plain name first, without duplicates.

    Args:
        classes: Names of all classes.
        file: File of candidates, see :func:`read_candidates`.
        templates: Templates for every class; :data:`TEMPLATES` if there is no file either.
        published: Overrides that belong to the data set.

    Returns:
        Candidates of the classes that have any besides the plain name.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If a candidate is invalid.
    """
    own = read_candidates(file, classes) if file is not None else {}
    templates = listed(templates)
    for template in templates:
        if PLACE not in template:
            raise ValueError(f"--templates '{template}' has no {{}}, where the class name goes")
    if file is None and not templates:
        templates = list(TEMPLATES)
    found = {}
    for name in classes:
        tried = [PLAIN, *filter(None, [(published or {}).get(name)]), *own.get(name, ()),
                 *(override_of(t, '--templates', name) for t in templates)]
        distinct: dict[tuple[str, ...], Override] = {}
        for override in tried:
            # parts of blanks alone count as empty
            distinct.setdefault(tuple(p if p.strip() else '' for p in parts_of(name, override)),
                                override)
        if len(distinct) > 1:
            found[name] = list(distinct.values())
    return found


def parts_of(name: str, override: Override) -> tuple[str, str, str]:
    """Return a class's text before, its detected words, and its text after them."""
    return (override.get('prefix', ''), override.get('name', clean_name(name)),
            override.get('suffix', ''))


def wording(name: str, override: Override) -> str:
    """Return a class's text in the prompt, with brackets around its detected words.

    Example:
        >>> wording('stingray', dict(suffix=' which is flat'))
        '[stingray] which is flat'
    """
    before, words, after = parts_of(name, override)
    return f'{before}[{words}]{after}'.strip() if (before + after).strip() else words
