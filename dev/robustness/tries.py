"""What a try is, and how its outcome is judged."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Outcomes; the last ones are faults.
RIGHT, CLEAR = 'right value', 'clear error'
TRACEBACK, HANG, OUTSIDE = 'traceback', 'hang', 'code ran / wrote outside'
WRONG, REFUSED = 'silently wrong', 'wrongly refused'
FAULTS = (REFUSED, WRONG, TRACEBACK, HANG, OUTSIDE)
OUTCOMES = (RIGHT, CLEAR, *FAULTS)
#: Characters of an error that somebody may still read.
LONGEST_ERROR = 4000


@dataclass(frozen=True)
class Place:
    """Where a try happens.

    Attributes:
        rng: source of all that is random.
        folder: current folder of the try; it may write here alone.
        outside: folder that no try may read or write.
        world: model, images and data that all tries read.
    """

    rng: random.Random
    folder: Path
    outside: Path
    world: Any

    def out(self, name: str, start: Path) -> str:
        """Return a relative name that leads from a folder to a file outside."""
        return '/'.join(['..'] * len(start.resolve().parts[1:])) + str(self.outside / name)


class Refusal(Exception):
    """A program ended with an error, of which this is the text."""


@dataclass(frozen=True)
class Try:
    """An attack, and what is right.

    Attributes:
        what: the attack in words.
        act: what is attacked; returns a value, or raises :class:`Refusal` or one of ``errors``.
        wrong: why a value is wrong, None for the right one; without it no value is right.
        named: what the error must name; None where a refusal is wrong.
        errors: exceptions that the tools turn into one line.
    """

    what: str
    act: Callable[[], Any]
    wrong: Callable[[Any], str | None] | None = None
    named: tuple[str, ...] | None = None
    errors: tuple[type[Exception], ...] = field(default=(ValueError, OSError))


def equals(expected: Any) -> Callable[[Any], str | None]:
    """Make a check that a value is the expected one."""
    def wrong(value: Any) -> str | None:
        return None if value == expected else f'{value!r:.300} where {expected!r:.300} is right'
    return wrong


def either(*checks: Callable[[Any], str | None]) -> Callable[[Any], str | None]:
    """Make a check that a value passes one of several."""
    def wrong(value: Any) -> str | None:
        found = [check(value) for check in checks]
        return None if None in found else found[0]
    return wrong


def judge(one: Try) -> tuple[str, str]:
    """Carry out a try; return its outcome, and the reason where that is a fault."""
    try:
        value = one.act()
    except (Refusal, *one.errors) as error:
        return _judge_error(one, str(error))
    if one.wrong is None:
        return WRONG, f'it was accepted: {value!r:.300}'
    reason = one.wrong(value)
    return (RIGHT, '') if reason is None else (WRONG, reason)


def _judge_error(one: Try, text: str) -> tuple[str, str]:
    broken = 'Traceback (most recent call last)' in text
    if one.named is None and not broken:
        return REFUSED, text[-600:]
    missing = [word for word in one.named or () if word not in text]
    if broken or missing or len(text) > LONGEST_ERROR:
        return TRACEBACK, f'{f"{missing} not named in: " if missing else ""}{text[-1500:]}'
    return CLEAR, ''
