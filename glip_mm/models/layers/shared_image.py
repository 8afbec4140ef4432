"""Chunks of a vocabulary share one image: what reads no words is computed for it once.

The plain formula is ``function(x)``.
"""

from collections.abc import Callable, Sequence

from torch import Tensor


def is_shared(tensors: Sequence[Tensor]) -> bool:
    """Return True if each tensor ``[B, ...]`` is one image, expanded without a copy."""
    return all(len(x) > 1 and x.stride(0) == 0 for x in tensors)


def once(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """Apply a function to tensors ``[B, ...]``, once where all images are the same one.

    Args:
        function: Treats each image of a batch by itself.
        tensors: arguments of the function.

    Returns:
        ``[B, ...]``, expanded where the arguments are.
    """
    if not is_shared(tensors):
        return function(*tensors)
    result = function(*(x[:1] for x in tensors))
    return result.expand(len(tensors[0]), *result.shape[1:])
