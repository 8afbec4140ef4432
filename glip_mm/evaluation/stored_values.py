"""Lossless JSON encoding of small Python values: tuples, arrays, number keys."""

import json
from pathlib import PurePath
from typing import Any

import numpy as np
import torch

from glip_mm.text.safe_json import load_json


def encode(value: Any) -> str:
    """Encode a value as JSON text for :func:`decode`.

    Raises:
        TypeError: If the value contains other types than numbers, text, arrays and containers.
    """
    return json.dumps(_plain(value))


def decode(text: str) -> Any:
    """Decode the text of :func:`encode`; tensors become arrays, paths become text."""
    return _rich(load_json(text))


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in 'biuf':
            raise TypeError(f'arrays of {value.dtype} are not stored')
        return {'array': value.tolist(), 'dtype': str(value.dtype), 'shape': value.shape}
    # a named tuple has its own type, which could not be restored
    if type(value) is tuple:
        return {'tuple': [_plain(v) for v in value]}
    if type(value) in (list, set):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {'dict': [[_plain(k), _plain(v)] for k, v in value.items()]}
    raise TypeError(f'values of {type(value).__name__} are not stored')


def _rich(value: Any) -> Any:
    if isinstance(value, list):
        return [_rich(v) for v in value]
    if not isinstance(value, dict):
        return value
    if 'array' in value:
        dtype = np.dtype(value['dtype'])
        if dtype.kind not in 'biuf':
            raise ValueError(f'arrays of {dtype} are not stored')
        return np.array(value['array'], dtype=dtype).reshape(value['shape'])
    if 'tuple' in value:
        return tuple(_rich(v) for v in value['tuple'])
    return {_rich(k): _rich(v) for k, v in value['dict']}
