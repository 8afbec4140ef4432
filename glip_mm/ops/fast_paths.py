"""Switches of the fast paths: each computes what a plain formula does, only faster.

The plain formula stays in the code, as the reference of the tests and for comparison::

    GLIP_MM_PLAIN=fusion,deform_conv python tools/test.py ...

    with plain('fusion'):
        model.test_step(data)

What nobody has measured yet is off unless it is asked for: ``GLIP_MM_FAST=triton_deform_conv``.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

#: Name -> the module that holds the fast path.
FAST_PATHS = dict(
    deform_conv='deform_conv.py',
    fusion='tiled_attention.py',
    matrix_products='matrix_products.py',
    window_attention='window_attention.py',
)

#: The same for those that are used only if ``GLIP_MM_FAST`` names them.
OPT_IN = dict(triton_deform_conv='triton_deform_conv.py')


def _named(names: set[str]) -> set[str]:
    unknown = names - set(FAST_PATHS) - {'all'}
    if unknown:
        raise ValueError(f'GLIP_MM_PLAIN names {sorted(unknown)}; there are fast paths of '
                         f"{sorted(FAST_PATHS)}, or 'all'")
    return set(FAST_PATHS) if 'all' in names else names


def _chosen(names: set[str]) -> set[str]:
    unknown = names - set(OPT_IN)
    if unknown:
        raise ValueError(f'GLIP_MM_FAST names {sorted(unknown)}; it can name {sorted(OPT_IN)}, '
                         'everything else is on by itself')
    return names


def _listed(variable: str) -> set[str]:
    return set(filter(None, os.environ.get(variable, '').split(',')))


_plain = _named(_listed('GLIP_MM_PLAIN'))
_fast = _chosen(_listed('GLIP_MM_FAST'))


def is_fast(name: str) -> bool:
    """Return True if a fast path is to be used."""
    return name in _fast if name in OPT_IN else name not in _plain


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
