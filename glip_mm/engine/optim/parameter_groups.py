"""Parameter groups: learning rate and weight decay of GLIP's parameters, and a table of them."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from torch import nn
from torch.optim import Optimizer

_WRAPPERS = re.compile(r'_fsdp_wrapped_module\.|_checkpoint_wrapped_module\.|_orig_mod\.')


class Multipliers(NamedTuple):
    """Factors on the optimizer's learning rate and weight decay.

    Attributes:
        lr: Factor on the learning rate.
        decay: Factor on the weight decay.
    """

    lr: float
    decay: float


def plain_name(name: str) -> str:
    """Strip the prefixes of sharding, checkpointing and compiling from a parameter's name."""
    return _WRAPPERS.sub('', name)


def is_bias(name: str) -> bool:
    """Return whether the published rule treats a parameter as a bias.

    The released code checks whether ``bias`` occurs anywhere in the name. So these are biases, too:
    Swin's ``relative_position_bias_table`` and the head's ``bias_lang`` and ``bias0``. Weights of
    normalisations are not: they decay.
    """
    return 'bias' in name


def multipliers(name: str, language_lr: float = 0.1, backbone_lr: float = 1.0,
                bias_lr: float = 2.0, bias_decay: float = 0.0) -> Multipliers:
    """Return the learning rate and weight decay factors of a parameter by the published rule.

    Source: parameter groups of the released code's optimizer. Its language learning rate is for
    the language model alone; the text layers of the fusion use the base learning rate.

    Args:
        name: Name of a parameter of :class:`~glip_mm.models.GLIP`.
        language_lr: Learning rate factor of ``language_model``; 1e-5 / 1e-4 as published.
        backbone_lr: Learning rate factor of ``backbone``.
        bias_lr: Further learning rate factor of biases, see :func:`is_bias`.
        bias_decay: Weight decay factor of biases.

    Returns:
        Both factors.

    Example:
        >>> multipliers('language_model.encoder.embeddings.LayerNorm.bias')
        Multipliers(lr=0.2, decay=0.0)
        >>> multipliers('fusion_neck.layers.0.text.query.weight')
        Multipliers(lr=1.0, decay=1.0)
    """
    part = plain_name(name).partition('.')[0]
    lr = {'language_model': language_lr, 'backbone': backbone_lr}.get(part, 1.0)
    return Multipliers(lr * bias_lr, bias_decay) if is_bias(name) else Multipliers(lr, 1.0)


class TableRow(NamedTuple):
    """Parameters of a module with the same training settings.

    Attributes:
        module: Top-level part of the model.
        tensors: Number of tensors.
        parameters: Number of elements (of this process, if they are sharded).
        lr: Learning rate, ``None`` if frozen.
        weight_decay: Weight decay, ``None`` if frozen.
        trainable: ``'yes'``, or the reason why not.
    """

    module: str
    tensors: int
    parameters: int
    lr: float | None
    weight_decay: float | None
    trainable: str


def why_frozen(model: nn.Module, name: str) -> str:
    """Return the reason why a parameter is frozen: the setting of its module.

    Args:
        model: Model with the parameter.
        name: Name of a parameter with ``requires_grad=False``.
    """
    path, module = [], model
    tuning = getattr(model, 'tuning', None)
    reason = tuning.why_frozen(plain_name(name)) if tuning is not None else None
    if reason is not None:
        return reason
    reason = 'requires_grad=False'
    for part in name.split('.')[:-1]:
        module = getattr(module, part)
        path.append(part)
        here = plain_name('.'.join(path) + '.').rstrip('.')
        if getattr(module, 'frozen_stages', -1) >= 0:
            reason = f'{here}.frozen_stages={module.frozen_stages}'
        elif getattr(module, 'frozen', False):
            reason = f'{here}.frozen=True'
    return reason


def table_rows(model: nn.Module, optimizer: Optimizer) -> list[TableRow]:
    """Tabulate the optimizer's actual settings for each part of a model.

    Args:
        model: Model without a wrapper.
        optimizer: Optimizer of that model.

    Returns:
        Rows in the model's order.
    """
    group_of = {id(p): group for group in optimizer.param_groups for p in group['params']}
    counts: dict[tuple, list[int]] = {}
    for name, param in model.named_parameters():
        group = group_of.get(id(param))
        if group is not None and param.requires_grad:
            how = (group['lr'], group.get('weight_decay', 0.0), 'yes')
        elif param.requires_grad:
            how = (None, None, 'not in the optimizer')
        else:
            how = (None, None, why_frozen(model, name))
        count = counts.setdefault((plain_name(name).partition('.')[0], *how), [0, 0])
        count[0] += 1
        count[1] += param.numel()
    return [TableRow(module, tensors, parameters, lr, decay, trainable)
            for (module, lr, decay, trainable), (tensors, parameters) in counts.items()]


def format_table(rows: Sequence[TableRow]) -> str:
    """Format the rows as aligned text, with the sums below."""
    def number(value: float | None) -> str:
        return '-' if value is None else f'{value:g}'

    lines = [('module', 'tensors', 'parameters', 'lr', 'weight decay', 'trainable')]
    lines += [(r.module, f'{r.tensors:,}', f'{r.parameters:,}', number(r.lr),
               number(r.weight_decay), r.trainable) for r in rows]
    trained = [r for r in rows if r.trainable == 'yes']
    lines += [(title, f'{sum(r.tensors for r in part):,}',
               f'{sum(r.parameters for r in part):,}', '', '', '')
              for title, part in (('trained', trained), ('all', rows))]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return '\n'.join('  '.join(
        cell.ljust(w) if i in (0, len(widths) - 1) else cell.rjust(w)
        for i, (cell, w) in enumerate(zip(line, widths))).rstrip() for line in lines)
