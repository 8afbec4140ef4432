"""Switches of the fast paths: each computes what a plain formula does, only faster.

The plain formula stays in the code, as the reference of the tests and for comparison::

    GLIP_MM_PLAIN=fusion,deform_conv python tools/test.py ...

    with plain('fusion'):
        model.test_step(data)

They have first derivatives in reverse mode alone. Within ``torch.func``'s transforms and
forward-mode differentiation the plain formulas are used; a second derivative needs :func:`plain`.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.autograd import forward_ad

#: Name -> the module that holds the fast path.
FAST_PATHS = dict(
    deform_conv='deform_conv.py',
    feed_forward='feed_forward.py',
    fusion='tiled_attention.py',
    matrix_products='matrix_products.py',
    window_attention='window_attention.py',
)


def _named(names: set[str], asked_by: str) -> set[str]:
    unknown = names - set(FAST_PATHS) - {'all'}
    if unknown:
        raise ValueError(f'{asked_by} names {sorted(unknown)}; there are fast paths of '
                         f"{sorted(FAST_PATHS)}, or 'all'")
    return set(FAST_PATHS) if 'all' in names else names


#: Packages whose layers take fast paths. A module of a class from elsewhere is its author's, with
#: all that it holds.
LIBRARIES = ('glip_mm', 'mmcv', 'mmdet', 'mmengine', 'peft', 'torch', 'transformers')

#: How many ask for the plain formula: the environment, and contexts that may overlap.
_plain = Counter(_named(set(filter(None, map(str.strip, os.environ.get(
    'GLIP_MM_PLAIN', '').split(',')))), 'GLIP_MM_PLAIN'))


def is_fast(name: str) -> bool:
    """Return True if a fast path is to be used."""
    return (not _plain[name] and getattr(forward_ad, '_current_level', -1) < 0
            and not torch._C._are_functorch_transforms_active())


@contextmanager
def plain(*names: str) -> Iterator[None]:
    """Compute by the plain formula within the context, in all threads.

    With gradient checkpointing the context has to hold the backward pass, too.

    Args:
        names: Keys of :data:`FAST_PATHS`, or ``'all'``.

    Raises:
        ValueError: For another name.
    """
    asked = _named(set(names), 'plain()')
    _plain.update(asked)
    try:
        yield
    finally:
        _plain.subtract(asked)


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


class _FastForward(partial):
    """Stands in for a module's ``forward``; can be pickled, a method of another name cannot."""


def as_built(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Return True if a module is of a class itself, and nobody hooked it or gave it a ``forward``.

    A fast path that does not call a part of a layer asks this of the part.
    """
    forward = module.__dict__.get('forward')
    return (type(module) is kind and (forward is None or isinstance(forward, _FastForward))
            and not module._forward_hooks and not module._forward_pre_hooks)


def replace_forward(module: nn.Module, kind: type[nn.Module],
                    function: Callable[..., Any]) -> nn.Module:
    """Let all modules of a class compute by ``function(module, ...)``; names and types stay.

    Args:
        module: Any module, changed in place, but for parts of other packages' classes: see
            :func:`known_modules`.
        kind: The class itself; classes derived from it, and modules that were given a ``forward``
            of their own, are left alone.
        function: What computes in place of ``forward``.

    Returns:
        The module.
    """
    for child in known_modules(module):
        if type(child) is kind and 'forward' not in child.__dict__:
            child.forward = _FastForward(function, child)
    return module
