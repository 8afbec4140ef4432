"""Low-rank adapters (LoRA, arXiv 2106.09685) inside a detector, by the library ``peft``."""

import re
from collections.abc import Sequence

from torch import nn

from glip_mm.text.names import listed

_INSTALL = ("model.tuning='lora' needs the library peft ({error}): pip install --no-deps peft "
            'accelerate')


def linear_layers(model: nn.Module, parts: Sequence[str]) -> list[str]:
    """List the names of all linear layers in some parts of a model."""
    return [name for name, module in model.named_modules()
            if isinstance(module, nn.Linear) and name.partition('.')[0] in parts]


def choose_layers(names: Sequence[str], targets: Sequence[str] | None) -> list[str]:
    """Choose the layers that a config asks for.

    Args:
        names: names of all linear layers.
        targets: ends of the wanted names, whole words between dots; ``None`` for all.

    Raises:
        ValueError: For a target that no name ends with, or if there is no layer at all.

    Example:
        >>> choose_layers(['a.query', 'a.key', 'b.query'], ['query'])
        ['a.query', 'b.query']
    """
    if targets is None:
        chosen = list(names)
    else:
        for target in targets:
            if not any(f'.{name}'.endswith(f'.{target}') for name in names):
                ends = sorted({re.sub(r'^.*\.(?=[A-Za-z_])', '', name) for name in names})
                raise ValueError(f"model.tuning.targets has '{target}', which no linear layer's "
                                 f"name ends with; these do: {', '.join(ends)}")
        chosen = [name for name in names
                  if any(f'.{name}'.endswith(f'.{target}') for target in targets)]
    if not chosen:
        raise ValueError('model.tuning: there is no linear layer to adapt: change '
                         'model.tuning.parts or model.tuning.targets')
    return chosen


def add_adapters(model: nn.Module, r: int = 8, alpha: float = 16, dropout: float = 0.0,
                 parts: str | Sequence[str] = ('backbone', 'language_model', 'fusion_neck'),
                 targets: str | Sequence[str] | None = None) -> None:
    """Put ``alpha / r`` times a product of two thin matrices beside linear layers.

    The product starts at zero. In state dicts a layer's own weights keep their names, so that any
    checkpoint of the plain model loads.

    Args:
        model: Changed in place; everything but the adapters is frozen.
        r: rank of the matrices.
        alpha: scale of the product, see above.
        dropout: dropout of an adapter's input; the fusion's layers that work on weights instead of
            activations (``v_proj``, ``values_v_proj``, ``out_v_proj``) do without.
        parts: parts of the model.
        targets: ends of names of layers, such as ``['query', 'value']``; default all linear
            layers of these parts.

    Raises:
        ImportError: Without ``peft``.
        ValueError: If no layer is meant.
    """
    parts, targets = listed(parts), None if targets is None else listed(targets)
    for part in parts:
        if not hasattr(model, part):
            raise ValueError(f"model.tuning.parts has '{part}', which the model has not; choose "
                             "of 'backbone', 'language_model', 'fusion_neck', 'bbox_head'")
    names = choose_layers(linear_layers(model, parts), targets)
    try:
        from .adapted_linear import inject
    except ImportError as error:
        raise ImportError(_INSTALL.format(error=error)) from error
    inject(model, names, r=r, alpha=alpha, dropout=dropout)


def adapted_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Return the layers with adapters by name."""
    return {name: module for name, module in model.named_modules() if hasattr(module, 'lora_A')}


def adapted_parts(model: nn.Module) -> set[str]:
    """Return the parts of the model that hold adapters."""
    return {name.partition('.')[0] for name in adapted_layers(model)}


def reset_adapters(model: nn.Module) -> None:
    """Start all adapters anew, with a product of zero."""
    for layer in adapted_layers(model).values():
        layer.reset_lora_parameters('default', True)  # type: ignore[operator]  # peft's method
