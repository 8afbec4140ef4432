"""Bidirectional table of parameter names: each rule serves both directions."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

Transform = Callable[[Tensor], Tensor]

_PLACEHOLDER = re.compile(r'\{(\w+)\}')


def _pattern(template: str) -> 're.Pattern[str]':
    """Compile a template: ``{rest}`` matches anything, every other placeholder a number."""
    parts, end = [], 0
    for match in _PLACEHOLDER.finditer(template):
        name = match.group(1)
        parts.append(re.escape(template[end:match.start()]))
        parts.append(f'(?P<{name}>{".+" if name == "rest" else "[0-9]+"})')
        end = match.end()
    return re.compile(''.join(parts) + re.escape(template[end:]))


@dataclass(frozen=True)
class Rule:
    """A rule: our name, the other naming's name, and the conversion of the value.

    Args:
        ours: Template such as ``'backbone.norm{n}.{rest}'``.
        theirs: Template with the same placeholders.
        tower: ``(step, shift)`` if ``{k}`` counts the other naming's flat tower:
            ``k_theirs = step * k_ours + shift``. ``None`` if all numbers are equal.
        to_ours: Conversion of a value that is renamed to ours.
        to_theirs: Inverse of ``to_ours``.
        writable: Whether the other name is written, not only read.
    """

    ours: str
    theirs: str
    tower: tuple[int, int] | None = None
    to_ours: Transform | None = None
    to_theirs: Transform | None = None
    writable: bool = True
    _ours_re: 're.Pattern[str]' = field(init=False, repr=False, compare=False)
    _theirs_re: 're.Pattern[str]' = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, '_ours_re', _pattern(self.ours))
        object.__setattr__(self, '_theirs_re', _pattern(self.theirs))

    def name_in_ours(self, key: str) -> str | None:
        """Return our name of their ``key``, or ``None`` if this rule does not match."""
        match = self._theirs_re.fullmatch(key)
        if match is None:
            return None
        groups = match.groupdict()
        if self.tower is not None:
            step, shift = self.tower
            k = int(groups['k'])
            if k % step != shift:
                return None
            groups['k'] = str(k // step)
        return self.ours.format(**groups)

    def name_in_theirs(self, key: str) -> str | None:
        """Return their name of our ``key``, or ``None`` if this rule does not match."""
        match = self._ours_re.fullmatch(key) if self.writable else None
        if match is None:
            return None
        groups = match.groupdict()
        if self.tower is not None:
            step, shift = self.tower
            groups['k'] = str(step * int(groups['k']) + shift)
        return self.theirs.format(**groups)


@dataclass(frozen=True)
class NameTable:
    """Rules of a naming.

    Args:
        rules: Rules in order; the first match wins.
        dropped: Regular expression of *their* keys that have no counterpart -> reason.
        unwritten: Regular expression of *our* keys that the naming cannot hold -> reason.
    """

    rules: Sequence[Rule]
    dropped: dict[str, str]
    unwritten: dict[str, str]

    def to_ours(self, key: str) -> tuple[str, Transform | None] | None:
        """Return our name of their ``key`` and the value's conversion, or ``None``."""
        for rule in self.rules:
            name = rule.name_in_ours(key)
            if name is not None:
                return name, rule.to_ours
        return None

    def to_theirs(self, key: str) -> tuple[str, Transform | None] | None:
        """Return their name of our ``key`` and the value's conversion, or ``None``."""
        for rule in self.rules:
            name = rule.name_in_theirs(key)
            if name is not None:
                return name, rule.to_theirs
        return None

    def why_dropped(self, key: str) -> str | None:
        """Return the reason to drop their ``key``, or ``None``."""
        return _first(self.dropped, key)

    def why_unwritten(self, key: str) -> str | None:
        """Return the reason why our ``key`` is not written in this naming, or ``None``."""
        return _first(self.unwritten, key)


def _first(reasons: dict[str, str], key: str) -> str | None:
    return next((why for pattern, why in reasons.items() if re.search(pattern, key)), None)
