"""Linear layers with an adapter of ``peft``; imported only where it is installed."""

import re
from collections.abc import Sequence
from typing import Any

from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora.layer import Linear as LoraLinear
from torch import Tensor, nn

_OWN = ('weight', 'bias')


class AdaptedLinear(LoraLinear):
    """As ``peft``'s, with two differences.

    :attr:`weight` includes the adapter, because the fusion multiplies weights with each other
    instead of calling its layers. State dicts name the layer's own weights as if there were no
    adapter.
    """

    @property
    def weight(self) -> Tensor:
        """Weight ``[out, in]`` with the adapter in it."""
        layer: Any = self.get_base_layer()
        weight: Tensor = layer.weight
        if self.merged or self.disable_adapters:
            return weight
        for name in self.active_adapters:
            weight = weight + self.get_delta_weight(name)
        return weight

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args, **kwargs) -> None:
        for name in _OWN:
            if prefix + name in state_dict:
                state_dict[f'{prefix}base_layer.{name}'] = state_dict.pop(prefix + name)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _plain_names(module: nn.Module, state_dict: dict, prefix: str, metadata: dict) -> None:
    for name in _OWN:
        if f'{prefix}base_layer.{name}' in state_dict:
            state_dict[prefix + name] = state_dict.pop(f'{prefix}base_layer.{name}')


def inject(model: nn.Module, names: Sequence[str], r: int, alpha: float, dropout: float) -> None:
    """Put adapters beside the named linear layers, in place; all else is frozen."""
    config = LoraConfig(r=r, lora_alpha=alpha,  # type: ignore[arg-type]  # fractions work, too
                        lora_dropout=dropout, bias='none',
                        target_modules='|'.join(re.escape(name) for name in names))
    inject_adapter_in_model(config, model)
    for module in model.modules():
        if type(module) is LoraLinear:
            module.__class__ = AdaptedLinear
            module._register_state_dict_hook(_plain_names)
