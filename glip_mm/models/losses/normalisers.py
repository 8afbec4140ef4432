"""Divisors of losses, so that several processes learn what one with all images would."""

from mmengine.dist import all_reduce, get_world_size
from torch import Tensor


def mean_over_ranks(value: Tensor) -> Tensor:
    """Average a tensor over all processes; every process must call it.

    Distributed training averages gradients: a sum of losses over the *mean* count of all processes
    becomes the sum over the whole batch divided by the count of the whole batch.

    Args:
        value: Any shape, float.

    Returns:
        The same shape, without gradient.
    """
    value = value.detach().clone()
    if get_world_size() > 1:
        all_reduce(value, op='mean')
    return value
