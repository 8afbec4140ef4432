"""Devices that a model can be on."""

import torch


def check_device(device: str | torch.device | None) -> None:
    """Check that PyTorch can use a device.

    Raises:
        ValueError: If it can not, or there is no such device.
    """
    if device is None:
        return
    try:
        torch.empty(1, device=device)
    except (AssertionError, NotImplementedError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0].rstrip('.')
        raise ValueError(f"device='{device}' can not be used ({reason}); leave it out to take the "
                         'accelerator if there is one, else the CPU') from error
