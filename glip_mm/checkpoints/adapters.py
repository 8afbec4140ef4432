"""Low-rank adapters (LoRA) in state dicts: detecting and merging them."""

from collections import OrderedDict
from collections.abc import Mapping

from torch import Tensor

_DOWN, _UP = '.lora_A.default.weight', '.lora_B.default.weight'


def is_adapter(name: str) -> bool:
    """Return whether a parameter belongs to an adapter, by its name."""
    return '.lora_' in name


def merge_adapters(state: Mapping[str, Tensor], alpha: float) -> tuple[
        'OrderedDict[str, Tensor]', int]:
    """Merge adapters into the weights of the plain model.

    Args:
        state: State dict with adapters, in our naming.
        alpha: LoRA's alpha, as in training.

    Returns:
        State dict without adapters, and the number of layers that had one.

    Raises:
        KeyError: If there are no adapters, or one lacks a half or its layer.
        ValueError: If the shapes of one do not fit.
    """
    merged = OrderedDict((k, v) for k, v in state.items() if not is_adapter(k))
    layers = [key[:-len(_DOWN)] for key in state if key.endswith(_DOWN)]
    if not layers:
        raise KeyError('the checkpoint has no adapters (no key with .lora_A.): nothing to merge')
    for layer in layers:
        for key in (layer + _UP, layer + '.weight'):
            if key not in state:
                raise KeyError(f"the checkpoint has '{layer}{_DOWN}' but no '{key}': it is "
                               'incomplete')
        down, up, weight = state[layer + _DOWN], state[layer + _UP], state[layer + '.weight']
        if (down.ndim, up.ndim) != (2, 2) or not len(down) or (
                (up.shape[0], down.shape[1]) != tuple(weight.shape)
                or up.shape[1] != down.shape[0]):
            raise ValueError(f"the adapter of '{layer}' has the shapes {tuple(up.shape)} and "
                             f'{tuple(down.shape)}, which do not belong to its weight of '
                             f'{tuple(weight.shape)}')
        change = (up.double() @ down.double()) * (alpha / len(down))
        merged[layer + '.weight'] = (weight.double() + change).to(weight.dtype)
    return merged, len(layers)
