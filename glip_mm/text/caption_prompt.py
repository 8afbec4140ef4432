"""Overrides of single class names in a detection prompt."""
from collections.abc import Mapping, Sequence

from .names import clean_name

#: ``{class name: {prefix, name, suffix}}`` or a list by position; every key is optional.
CaptionPrompt = Mapping[str, Mapping[str, str]] | Sequence[Mapping[str, str] | None]

_KEYS = ('prefix', 'name', 'suffix')


def overrides_by_position(names: Sequence[str],
                          caption_prompt: CaptionPrompt | None) -> list[Mapping[str, str]]:
    """Convert overrides of either form to one (possibly empty) override for every name.

    Args:
        names: Raw class names.
        caption_prompt: ``{class name: override}`` or a list by position, see
            :meth:`Prompt.from_names`.

    Raises:
        ValueError: If a list has another length than ``names``, or an override has other keys
            than ``prefix``, ``name`` and ``suffix`` or other values than strings.
    """
    if caption_prompt is None:
        return [{}] * len(names)
    if isinstance(caption_prompt, Mapping):
        # MMDetection looks up the cleaned name; configs are written with either
        found = [caption_prompt.get(n if n in caption_prompt else clean_name(n)) or {}
                 for n in names]
    else:
        if len(caption_prompt) != len(names):
            raise ValueError(f'caption_prompt has {len(caption_prompt)} entries for '
                             f'{len(names)} class names; give one entry (or None) for each, or '
                             'a dict by class name')
        found = [override or {} for override in caption_prompt]
    for name, override in zip(names, found):
        if not isinstance(override, Mapping) or not set(override) <= set(_KEYS):
            raise ValueError(f'caption_prompt of class {name!r} must be a dict with keys among '
                             f'{_KEYS}, got {override!r}')
        if not all(isinstance(value, str) for value in override.values()):
            raise ValueError(f'caption_prompt of class {name!r} must hold strings, got '
                             f'{override!r}')
    return found
