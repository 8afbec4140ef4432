"""Changes of valid inputs: other notations of the same content, and damage."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

#: Written into the text of a value, since no encoder nests that deep.
DEEP = {'@deep@': '[' * 500 + ']' * 500, '@deepest@': '[' * 100_000 + ']' * 100_000}
#: Values where others are expected.
VALUES = [None, True, False, 'x', '7', '', ' ', '\ud800', 'a\0b', '\u200b', -1, 0, 1.5,
          float('nan'), float('inf'), 10 ** 30, 10 ** 400, -10 ** 400, [], {}, [[]], [7],
          [[1, 2, 9, 8]], {'a': 1}, '@deep@', '@deepest@']


def json_lines(path: Path) -> list[Any]:
    """Read JSON lines, which end with a line feed and nothing else."""
    return [json.loads(line) for line in path.read_text(encoding='utf-8').split('\n') if line]


def dump(value: Any, **options: Any) -> str:
    """Encode as JSON, with what no encoder would write."""
    text = json.dumps(value, **options)
    for mark, nested in DEEP.items():
        text = text.replace(f'"{mark}"', nested)
    return text


def places(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """Iterate over all paths into nested lists and dicts."""
    for key in value if isinstance(value, dict) else range(len(value)):
        yield (*path, key)
        if isinstance(value[key], (dict, list)):
            yield from places(value[key], (*path, key))


def put(value: Any, path: tuple, new: Any) -> Any:
    """Return a copy with another value at a path."""
    copy = json.loads(json.dumps(value))
    parent = copy
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = new
    return copy


def removed(value: Any, path: tuple) -> Any:
    """Return a copy without what is at a path."""
    copy = json.loads(json.dumps(value))
    parent = copy
    for key in path[:-1]:
        parent = parent[key]
    del parent[path[-1]]
    return copy


def map_leaves(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a copy with all numbers and texts changed."""
    if isinstance(value, dict):
        return {key: map_leaves(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [map_leaves(item, change) for item in value]
    return change(value)


def shuffled(rng: random.Random, value: Any) -> Any:
    """Return a copy with the keys of all objects in another order, and keys that nobody reads."""
    if isinstance(value, list):
        return [shuffled(rng, item) for item in value]
    if not isinstance(value, dict):
        return value
    keys = rng.sample(sorted(value), len(value))
    extra = {'x-note': rng.choice([None, 7, 'note', [1, {'a': 'b'}]])} if rng.random() < .5 else {}
    return {**{key: shuffled(rng, value[key]) for key in keys}, **extra}


#: Damage of bytes -> function of a random source and the bytes. No valid JSON object is left.
DAMAGE: dict[str, Callable[[random.Random, bytes], bytes]] = {
    'nothing': lambda rng, content: b'',
    'cut off': lambda rng, content: content[:rng.randrange(1, len(content.rstrip()))],
    'a NUL byte': lambda rng, content: _inserted(rng, content, b'\0'),
    'a byte that is no UTF-8': lambda rng, content: _inserted(rng, content, b'\xff'),
    'another format': lambda rng, content: b'\x89PNG\r\n\x1a\n' + content,
    'HTML of a login page': lambda rng, content: b'<!DOCTYPE html><html>Sign in</html>',
    'nesting without end': lambda rng, content: DEEP['@deepest@'].encode(),
    'random bytes': lambda rng, content: rng.randbytes(len(content)),
    'a pointer of Git LFS': lambda rng, content: (
        b'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n'),
    'a number of 5,000 digits': lambda rng, content: b'{"a": ' + b'1' * 5000 + b'}',
}


def _inserted(rng: random.Random, content: bytes, piece: bytes) -> bytes:
    # within a value or between them, neither is JSON
    at = rng.randrange(1, len(content.rstrip()))
    return content[:at] + piece + content[at:]
