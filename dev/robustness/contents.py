"""What a job left, in a form that two runs of it must have in common."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from glip_mm.datasets.storage import MappedTable
from glip_mm.evaluation.predictions import PredictionStore

#: Files that tell when and by whom, not what: logs, costs, locks, and copies of the config, which
#: say from where a run resumed.
_OF_THE_RUN = re.compile(
    r'.*\.lock|(?:.*/)?(?:training_cost\.json|image_checks\.json|(?:nano|config)\.py|'
    r'(?:claims|\d{8}_\d{6})/.*)')
_TEMPORARY = re.compile(r'\..*\.tmp|.*\.(?:part|partial|replaced)')
#: Entries of checkpoints and logs that are times, or name the run.
_TIMES = re.compile(r'(?:.*/)?(?:time|seconds|data_time|memory|eta|cfg|experiment_name|'
                    r'training_cost)')


def left_over(folder: Path) -> list[str]:
    """Return the names of temporary files and folders."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob('*')
                  if _TEMPORARY.fullmatch(p.name))


def contents(folder: Path) -> dict[str, str]:
    """Return digests of everything that a job made: each tensor, prediction, metric and file.

    Args:
        folder: Folder of the job; its path in files counts as the same everywhere.
    """
    found: dict[str, str] = {}
    for path in sorted(folder.rglob('*')):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or _TEMPORARY.fullmatch(path.name):
            continue
        if path.name == 'scalars.json':
            for key, value in _logged(path):
                key = f'{path.parents[2].relative_to(folder)}: {key}'
                if found.setdefault(key, value) != value:  # trained again, with another result
                    found[key] += f', {value}'
        elif _OF_THE_RUN.fullmatch(name) or path.name.startswith('part-'):
            continue
        elif path.suffix == '.pth':
            content = torch.load(path, map_location='cpu', weights_only=False)
            content['meta'] = {k: content['meta'].get(k) for k in ('epoch', 'iter', 'seed')}
            found |= {f'{name}: {key}': value for key, value in _leaves(content, folder)}
        elif path.suffix == '.json':
            found |= {f'{name}: {key}': value
                      for key, value in _leaves(json.loads(path.read_text()), folder)}
        elif path.suffix == '.arrow':  # its stamp has the time of a file that was converted
            table = MappedTable(path)
            found[name] = _digest(repr([table.row(i) for i in range(len(table))]).encode())
        else:
            found[name] = _digest(path.read_bytes().replace(str(folder).encode(), b'OUT'))
        if path.name == 'meta.json':
            for prediction in PredictionStore(path.parent):
                found[f'{name}: {prediction.index}'] = _digest(repr(
                    [(v.tobytes(), v.dtype) if isinstance(v, np.ndarray) else v
                     for v in prediction]).encode())
    return found


def _logged(path: Path) -> Iterator[tuple[str, str]]:
    """Yield values of a log, by their step; a killed process may have cut off the last line."""
    for line in path.read_text().splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        kind = 'train' if 'loss' in row else 'val'
        for key, value in row.items():
            if not _TIMES.fullmatch(key):
                yield f"{kind} step {row['step']}: {key}", repr(value)


def _leaves(value: Any, folder: Path, name: str = '') -> Iterator[tuple[str, str]]:
    """Yield the digests of all that is nested in a checkpoint."""
    if isinstance(value, HistoryBuffer):
        value = [value._log_history, value._count_history]
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not _TIMES.fullmatch(str(key)):
                yield from _leaves(inner, folder, f'{name}.{key}' if name else str(key))
    elif isinstance(value, (list, tuple)) and any(
            isinstance(v, (Mapping, torch.Tensor, np.ndarray)) for v in value):
        for number, inner in enumerate(value):
            yield from _leaves(inner, folder, f'{name}[{number}]')
    elif isinstance(value, (torch.Tensor, np.ndarray)):
        array = np.ascontiguousarray(value)
        yield name, _digest(repr((array.dtype, array.shape)).encode() + array.tobytes())
    else:
        yield name, _digest(repr(value).replace(str(folder), 'OUT').encode())


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()
