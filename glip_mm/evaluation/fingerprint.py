"""Fingerprint of a test: everything that predictions depend on, to validate a resumed test."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from glip_mm.version import __version__

from .tested_datasets import TestedDataset

#: Settings of a data loader that do not affect predictions.
_NEUTRAL = ('num_workers', 'persistent_workers', 'pin_memory', 'prefetch_factor', 'sampler',
            'batch_sampler', 'drop_last', 'timeout')


def fingerprint(model: nn.Module, config: Mapping[str, Any],
                datasets: Sequence[TestedDataset]) -> dict[str, str]:
    """Describe everything that predictions depend on, by name.

    Args:
        model: Model with its weights loaded.
        config: Config with ``model`` and ``test_dataloader``.
        datasets: Tested data sets, whose annotation files are read.

    Returns:
        Name -> value as text; weights and files are hashed.
    """
    found = {'weights': weights_digest(model), 'glip_mm': __version__, 'torch': torch.__version__}
    found['device'] = next((p.device.type for p in model.parameters()), 'cpu')
    for dataset in datasets:
        if Path(dataset.ann_file).is_file():
            with open(dataset.ann_file, 'rb') as file:
                digest = hashlib.file_digest(file, 'sha256') if hasattr(
                    hashlib, 'file_digest') else _digest_of(file)
            found[f'content of {dataset.ann_file}'] = digest.hexdigest()
        found[f'images of {dataset.name}'] = str(dataset.num_images)
    found.update(_flat('model', config.get('model')))
    loader = config.get('test_dataloader')
    if isinstance(loader, Mapping):
        loader = {k: v for k, v in loader.items() if k not in _NEUTRAL}
    found.update(_flat('test_dataloader', loader))
    found.update(_flat('test_cfg', {'fp16': (config.get('test_cfg') or {}).get('fp16', False)}))
    return found


def weights_digest(model: nn.Module) -> str:
    """Hash names, types and values of a model's parameters and buffers."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        # a distributed wrapper changes names, not weights
        digest.update(f'{name.removeprefix("module.")} {value.dtype} {tuple(value.shape)}'.encode())
        flat = value.detach().cpu().contiguous().reshape(-1)
        digest.update(memoryview(flat.view(torch.uint8).numpy()))
    return digest.hexdigest()


def key_of(found: Mapping[str, str]) -> str:
    """Return a short text that differs between fingerprints."""
    text = '\n'.join(f'{key}: {value}' for key, value in sorted(found.items()))
    return hashlib.sha256(text.encode(errors='backslashreplace')).hexdigest()[:16]


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Describe the differences of two fingerprints in sentences."""
    found = []
    for key in sorted({*before, *now}):
        old, new = before.get(key), now.get(key)
        if old == new:
            continue
        if key == 'weights' or key.startswith('content of '):
            found.append(f'{key}: not the same')
        else:
            found.append(f'{key}: was {_short(old)}, now {_short(new)}')
    return found


def _flat(name: str, value: Any) -> dict[str, str]:
    if isinstance(value, Mapping):
        return {k: v for key in value for k, v in _flat(f'{name}.{key}', value[key]).items()}
    if isinstance(value, (list, tuple)):
        if not any(isinstance(v, (Mapping, list, tuple)) for v in value):
            return {name: repr(list(value))}
        return {k: v for i, part in enumerate(value)
                for k, v in _flat(f'{name}[{i}]', part).items()}
    # objects have an address in their repr, which differs in every process
    plain = value is None or isinstance(value, (bool, int, float, str))
    return {name: repr(value) if plain else type(value).__name__}


def _short(text: str | None) -> str:
    return 'absent' if text is None else text if len(text) < 80 else f'{text[:77]}...'


def _digest_of(file: Any) -> Any:
    digest = hashlib.sha256()
    for block in iter(lambda: file.read(1 << 20), b''):
        digest.update(block)
    return digest
