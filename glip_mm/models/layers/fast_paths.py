"""Switches of the fast paths: each computes what a plain formula does, only faster.

The plain formula stays in the code, as the reference of the tests and for comparison::

    GLIP_MM_PLAIN=fusion,deform_conv python tools/test.py ...

    with plain('fusion'):
        model.test_step(data)
"""

import os
from contextlib import contextmanager
from typing import Iterator, Set

#: Name -> the module that holds the fast path.
FAST_PATHS = dict(
    deform_conv='deform_conv.py',
    fusion='tiled_attention.py',
    matrix_products='matrix_products.py',
    window_attention='window_attention.py',
)


def _named(names: Set[str]) -> Set[str]:
    unknown = names - set(FAST_PATHS) - {'all'}
    if unknown:
        raise ValueError(f'GLIP_MM_PLAIN names {sorted(unknown)}; there are fast paths of '
                         f"{sorted(FAST_PATHS)}, or 'all'")
    return set(FAST_PATHS) if 'all' in names else names


_plain = _named(set(filter(None, os.environ.get('GLIP_MM_PLAIN', '').split(','))))


def is_fast(name: str) -> bool:
    """Whether a fast path is to be used."""
    return name not in _plain


@contextmanager
def plain(*names: str) -> Iterator[None]:
    """Compute by the plain formula within the context.

    Args:
        names: Keys of :data:`FAST_PATHS`, or ``'all'``.

    Raises:
        ValueError: For another name.
    """
    added = _named(set(names)) - _plain
    _plain.update(added)
    try:
        yield
    finally:
        _plain.difference_update(added)
