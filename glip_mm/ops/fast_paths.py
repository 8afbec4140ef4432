"""Switches of the fast paths: each computes what a plain formula does, only faster.

The plain formula stays in the code, as the reference of the tests and for comparison::

    GLIP_MM_PLAIN=fusion,deform_conv python tools/test.py ...

    with plain('fusion'):
        model.test_step(data)
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import nn

#: Name -> the module that holds the fast path.
FAST_PATHS = dict(
    deform_conv='deform_conv.py',
    feed_forward='feed_forward.py',
    fusion='tiled_attention.py',
    matrix_products='matrix_products.py',
    window_attention='window_attention.py',
)


def _named(names: set[str]) -> set[str]:
    unknown = names - set(FAST_PATHS) - {'all'}
    if unknown:
        raise ValueError(f'GLIP_MM_PLAIN names {sorted(unknown)}; there are fast paths of '
                         f"{sorted(FAST_PATHS)}, or 'all'")
    return set(FAST_PATHS) if 'all' in names else names

#: Packages whose layers take fast paths. A module of a class from elsewhere is its author's, with
#: all that it holds.
LIBRARIES = ('glip_mm', 'mmcv', 'mmdet', 'mmengine', 'peft', 'torch', 'transformers')

_plain = _named(set(filter(None, os.environ.get('GLIP_MM_PLAIN', '').split(','))))


def is_fast(name: str) -> bool:
    """Return True if a fast path is to be used."""
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


def known_modules(module: nn.Module) -> Iterator[nn.Module]:
    """Iterate over a module and all that it holds, but for modules of other packages' classes.

    Args:
        module: Any module; its own class may be of any package.

    Yields:
        The module and its parts, without those of classes outside :data:`LIBRARIES` and without
        the parts of these.
    """
    yield module
    for child in module.children():
        if type(child).__module__.partition('.')[0] in LIBRARIES:
            yield from known_modules(child)


def replace_forward(module: nn.Module, kind: type[nn.Module],
                    function: Callable[..., Any]) -> nn.Module:
    """Let all modules of a class compute by ``function(module, ...)``; names and types stay.

    Args:
        module: Any module, changed in place, but for parts of other packages' classes: see
            :func:`known_modules`.
        kind: The class itself; classes derived from it are left alone.
        function: What computes in place of ``forward``.

    Returns:
        The module.
    """
    for child in known_modules(module):
        if type(child) is kind:
            # a partial function can be pickled, a method of another name not
            child.forward = partial(function, child)
    return module
