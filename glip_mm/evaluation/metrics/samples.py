"""Reading of data samples."""

from typing import Any

import numpy as np
import torch


def array_of(values: Any) -> np.ndarray:
    """Convert a tensor, array or list to an array; half precision becomes float32."""
    if hasattr(values, 'tensor'):  # box types of MMDetection
        values = values.tensor
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        if values.dtype in (torch.bfloat16, torch.float16):
            values = values.float()
        return values.numpy()
    return np.asarray(values)
