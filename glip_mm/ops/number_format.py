"""Number formats under autocast."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def product_type(x: Tensor) -> torch.dtype:
    """Return the type of a matrix product with a tensor: autocast's where it is on."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


def without_autocast(device: str) -> AbstractContextManager:
    """Compute in the tensors' own types within the context.

    Where autocast is off anyway nothing is entered, so that nothing of it is in an exported graph,
    which torch 2.6 cannot save for images of any size.

    Args:
        device: Type of the device, such as ``'cpu'``.
    """
    if torch.is_autocast_enabled(device):
        return torch.autocast(device, enabled=False)
    return nullcontext()
