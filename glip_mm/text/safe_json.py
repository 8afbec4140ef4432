"""Reading of JSON that may come from anywhere."""

import json
from typing import Any

from glip_mm.limits import DEPTH


def load_json(text: str | bytes, **options: Any) -> Any:
    """Parse JSON.

    Args:
        text: Content of a file, or a line of it.
        options: Arguments of ``json.loads``.

    Raises:
        ValueError: If it is no JSON, has an integer of thousands of digits, or is nested too
            deeply: whatever walks through the values calls itself for each level.
    """
    most = DEPTH.value
    try:
        value = json.loads(text, **options)
    except RecursionError:
        raise ValueError(_deep()) from None
    opened = ('[', '{') if isinstance(text, str) else (b'[', b'{')
    level = [value] if sum(map(text.count, opened)) > most else []  # type: ignore[arg-type]
    for _ in range(most):
        level = [part for parts in level if isinstance(parts, (list, dict, tuple))
                 for part in (parts.values() if isinstance(parts, dict) else parts)]
    if any(isinstance(part, (list, dict, tuple)) for part in level):
        raise ValueError(_deep())
    return value


def _deep() -> str:
    return f'it is nested more deeply than {DEPTH} levels'
