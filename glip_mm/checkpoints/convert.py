"""Conversion of state dicts between the three namings."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from .adapters import is_adapter
from .load_report import LoadReport, few
from .mmdet_names import mmdet_table
from .official_names import DROPPED, official_table
from .rules import NameTable

NAMINGS = ('official', 'mmdet', 'ours')
_DDP_PREFIX = 'module.'
#: Bytes of a tensor that may share its storage with itself, such as an expanded position.
_LARGEST_VIEW = 1 << 26
_OFFICIAL_ONLY = 'registered by the official model, which makes no use of the stored value'


def detect_naming(keys: Iterable[str]) -> str:
    """Detect the naming of a state dict by its keys (without ``module.``).

    Args:
        keys: Names of a state dict.

    Returns:
        ``'official'``, ``'mmdet'``, or ``'ours'`` for everything else.
    """
    keys = list(keys)
    if any(k.startswith(('rpn.', 'backbone.body.', 'language_backbone.')) for k in keys):
        return 'official'
    if any(k.startswith(('bbox_head.head.', 'language_model.language_backbone.')) for k in keys):
        return 'mmdet'
    return 'ours'


def is_fused(keys: Iterable[str]) -> bool:
    """Return whether the keys contain fusion layers, in any naming."""
    return any('.b_attn.' in k or 'fusion_neck.layers.0.attention.' in k for k in keys)


def _table(naming: str, fused: bool) -> NameTable:
    return official_table(fused) if naming == 'official' else mmdet_table(fused)


def find_weights(checkpoint: Mapping[str, Any],
                 use_ema: bool = False) -> tuple[dict[str, Tensor], str]:
    """Find the weights in a checkpoint of any training program.

    The official release keeps averaged weights beside the others, in ``model_ema``. MMEngine's
    ``EMAHook`` swaps when it saves: the averaged weights are in ``state_dict``, the raw ones in
    ``ema_state_dict``; what MMEngine itself loads is ``state_dict``, with and without request.

    Args:
        checkpoint: Contents of a file, or a bare state dict.
        use_ema: Take the averaged weights, which must be there.

    Returns:
        The state dict, and the key that held it (``''`` for a bare state dict).

    Raises:
        KeyError: If averaged weights are asked for and the file has none.
        TypeError: If the file holds no state dict.
    """
    if use_ema and 'model_ema' in checkpoint:
        container = 'model_ema'
    elif use_ema and not ('ema_state_dict' in checkpoint and 'state_dict' in checkpoint):
        raise KeyError("use_ema (--ema) was asked for, but the checkpoint has neither 'model_ema' "
                       f"nor 'ema_state_dict'; it has {few(checkpoint)}: leave use_ema out")
    else:
        container = next((k for k in ('state_dict', 'model')
                          if isinstance(checkpoint.get(k), Mapping)), '')
    weights = checkpoint[container] if container else checkpoint
    if not isinstance(weights, Mapping):
        raise TypeError(f"checkpoint['{container}'] is a {type(weights).__name__}, not a state "
                        'dict: give a file with weights')
    bad = [k for k, v in weights.items() if not (isinstance(k, str) and _is_plain(v))]
    if bad or not weights:
        raise TypeError(f'no state dict found: entries {few(bad or checkpoint)} are no '
                        "tensors; give a bare state dict or a file with 'state_dict' or 'model'")
    return dict(weights), container


def _is_plain(value: object) -> bool:
    """Return whether a value is a dense tensor that holds what its shape says."""
    if not isinstance(value, Tensor) or value.layout != torch.strided or (
            value.is_quantized or value.is_complex()):
        return False
    if value.is_meta:  # a model without memory; no file has such
        return True
    size = value.numel() * value.element_size()
    # a tensor of no strides is small in the file and large in every copy
    return size <= _LARGEST_VIEW or size <= value.untyped_storage().nbytes()


def _rename(key: str, name: str, value: Tensor, transform: Any) -> Tensor:
    try:
        return transform(value) if transform else value
    except (IndexError, RuntimeError) as error:
        raise ValueError(f"'{key}' has the shape {tuple(value.shape)}, which '{name}' of a GLIP "
                         'cannot have: is it a checkpoint of another model?') from error


def normalise_state_dict(checkpoint: Mapping[str, Any], use_ema: bool = False,
                         strict: bool = True) -> tuple['OrderedDict[str, Tensor]', LoadReport]:
    """Convert official, MMDetection's and own checkpoints to our naming.

    Args:
        checkpoint: Bare state dict or container, with or without ``module.``.
        use_ema: Take the averaged weights, see :func:`find_weights`.
        strict: Refuse keys of a foreign naming that have no counterpart; else they keep their
            names.

    Returns:
        State dict in our naming, and a report of the dropped keys.

    Raises:
        KeyError: For keys of a foreign naming that have no counterpart (if ``strict``), or if
            averaged weights are asked for and missing.
        TypeError: If there is no state dict.
    """
    weights, container = find_weights(checkpoint, use_ema)
    prefixed = [k for k in weights if k.startswith(_DDP_PREFIX)]
    plain = {k[len(_DDP_PREFIX):] if k.startswith(_DDP_PREFIX) else k: v
             for k, v in weights.items()}
    naming = detect_naming(plain)
    report = LoadReport(naming, container, bool(prefixed), len(weights))
    if naming == 'ours':
        state = OrderedDict(plain)
        report.num_kept = len(state)
        return state, report

    _use_mlm_bias_copy(plain)
    table = _table(naming, is_fused(plain))
    state, homeless = OrderedDict(), []
    for key, value in plain.items():
        why, target = table.why_dropped(key), table.to_ours(key)
        if why is not None:
            report.dropped[key] = why
        elif target is None:
            homeless.append(key)
        else:
            name, transform = target
            state[name] = _rename(key, name, value, transform)
    if not strict:
        state.update({key: plain[key] for key in homeless})
    elif homeless:
        raise KeyError(f'{len(homeless)} keys of a checkpoint in {naming} naming have no place in '
                       f'a GLIP model: {few(homeless)}; is it a checkpoint of another model?')
    report.num_kept = len(state)
    return state, report


def convert_state_dict(checkpoint: Mapping[str, Any], target: str = 'ours',
                       use_ema: bool = False) -> tuple['OrderedDict[str, Tensor]', LoadReport]:
    """Convert a state dict to another naming.

    Args:
        checkpoint: Bare state dict or container in any naming.
        target: ``'official'``, ``'mmdet'`` or ``'ours'``.
        use_ema: Take the averaged weights, see :func:`find_weights`.

    Returns:
        State dict without ``module.``, and a report of the dropped and added keys.

    Raises:
        KeyError: For keys that have no counterpart in one of the namings.
        ValueError: If the target is unknown.
    """
    if target not in NAMINGS:
        raise ValueError(f"target is '{target}'; it must be one of {', '.join(NAMINGS)}")
    state, report = normalise_state_dict(checkpoint, use_ema)
    if target == 'ours':
        return state, report
    if any(map(is_adapter, state)):
        raise KeyError(f'the checkpoint has adapters (LoRA), which {target} naming has no place '
                       'for: merge them first with tools/misc/merge_lora.py')
    table = _table(target, is_fused(state))
    converted, homeless = OrderedDict(), []
    for key, value in state.items():
        why, place = table.why_unwritten(key), table.to_theirs(key)
        if why is not None:
            report.dropped[key] = why
        elif place is None:
            homeless.append(key)
        else:
            name, transform = place
            converted[name] = _rename(key, name, value, transform)
    if homeless:
        raise KeyError(f'{len(homeless)} keys cannot be written in {target} naming: '
                       f'{few(homeless)}; the official and MMDetection releases know Swin '
                       "backbones and GLIP's own parts only")
    if target == 'official':
        _add_official_constants(converted, report)
    return converted, report


def _use_mlm_bias_copy(plain: dict[str, Tensor]) -> None:
    """Restore the decoder's bias where a file holds only its copy ``mlm_head.bias``."""
    for key in [k for k in plain if k.endswith('.mlm_head.bias')]:
        plain.setdefault(key[:-len('bias')] + 'decoder.bias', plain[key])


def _add_official_constants(state: dict[str, Tensor], report: LoadReport) -> None:
    """Add the constants that the official model registers and ours does not, for strict loading."""
    head = 'rpn.head.'
    box = state.get(head + 'bbox_pred.weight')
    if box is None or box.ndim != 4:
        raise KeyError("the checkpoint has no 'bbox_head.bbox_pred.weight' of four dimensions: it "
                       'is no whole GLIP')
    channels = box.shape[1]
    added = {head + 'cls_logits.weight': torch.zeros(80, channels, 1, 1),
             head + 'cls_logits.bias': torch.full((80,), -4.59511985)}
    levels = sum(k.startswith(head + 'scales.') for k in state)
    for level in range(levels):
        stride = 8 * 2**level
        added[f'rpn.anchor_generator.cell_anchors.{level}'] = stride * torch.tensor(
            [[-3.5, -3.5, 4.5, 4.5]]) - torch.tensor([[0., 0., 1., 1.]])
    for key, value in added.items():
        report.added[key] = _OFFICIAL_ONLY
        state[key] = value
    bias = head + 'mlm_head.decoder.bias'
    if bias in state:
        copy = head + 'mlm_head.bias'
        report.added[copy] = DROPPED[r'\.mlm_head\.bias$']
        state[copy] = state[bias]
