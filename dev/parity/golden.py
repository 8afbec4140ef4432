"""Golden format: sampled tensors of a reference run, with its settings.

Letters: B images, N positions, L text tokens.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .table import Row


class GoldenCase:
    """A case: ``<prefix>.json`` and ``<prefix>.npz`` in the folder of its model.

    Args:
        path: Path of the case with or without a suffix.

    Attributes:
        meta: Content of the JSON file.
        arrays: Content of the NPZ file.
    """

    def __init__(self, path: str | Path) -> None:
        path = Path(path)
        self.path = path.with_suffix('') if path.suffix in ('.json', '.npz') else path
        self.meta: dict[str, Any] = json.loads(
            self.path.with_suffix('.json').read_text(encoding='utf-8'))
        with np.load(self.path.with_suffix('.npz')) as arrays:
            self.arrays: dict[str, np.ndarray] = {k: arrays[k] for k in arrays.files}

    @property
    def name(self) -> str:
        """Return ``<model>/<case>``."""
        return f'{self.path.parent.name}/{self.path.name}'

    @property
    def is_training(self) -> bool:
        """Return whether losses and gradients are stored."""
        return 'losses' in self.meta

    @property
    def text_mask(self) -> np.ndarray:
        """Return the mask of real tokens, ``[B, 256]`` bool."""
        return self.arrays['attention_mask'].astype(bool)

    def names(self, prefix: str) -> list[str]:
        """List the stored tensors whose names start with ``prefix``."""
        return [k for k in self.meta['tensors'] if k.startswith(prefix)]

    def compare(self, name: str, mine: np.ndarray | None, tolerance: float,
                token_axis: int | None = None, relative: bool = False) -> Row:
        """Compare a tensor with its stored samples.

        Args:
            name: Name of the stored tensor.
            mine: Our tensor; ``None`` if there is none.
            tolerance: Maximum difference.
            token_axis: Axis of text tokens. Ours may be cropped to the longest text, and only
                real tokens are compared.
            relative: Whether to divide by the largest magnitude of the stored tensor.

        Returns:
            Result of the comparison.
        """
        entry = self.meta['tensors'][name]
        shape = list(entry['shape'])
        if mine is None:
            return Row(name, np.inf, tolerance, 'not computed')
        expected = list(shape)
        if token_axis is not None:
            expected[token_axis] = mine.shape[token_axis]
        if list(mine.shape) != expected:
            return Row(name, np.inf, tolerance, f'shape {list(mine.shape)}, stored {shape}')
        stored = self.arrays[name].reshape(-1)
        index = np.arange(stored.size) if entry['full'] else self.arrays[entry['idx']]
        where = np.unravel_index(index, shape)
        if token_axis is not None:
            real = self.text_mask[where[0], where[token_axis]]
            where, stored = tuple(w[real] for w in where), stored[real]
        if not stored.size:
            return Row(name, 0.0, tolerance, 'no sample at a real token')
        difference = np.abs(mine[where].astype(np.float64) - stored).max()
        note = ''
        if relative:
            # per-loss gradients store no statistics of the whole tensor
            difference /= max(entry['absmax'] or np.abs(stored).max(), 1e-30)
            note = 'relative to the largest'
        return Row(name, float(difference), tolerance, note)


def find_cases(paths: Sequence[str | Path]) -> list[GoldenCase]:
    """Find the cases that a command line names.

    Args:
        paths: Cases (``DIR/infer_a_short``, with or without suffix), or folders with a
            ``keys.json``, which stand for all their cases.

    Returns:
        The cases in order.

    Raises:
        FileNotFoundError: If a path is neither.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if (path / 'keys.json').is_file():
            found += sorted(p for p in path.glob('*.npz') if p.with_suffix('.json').is_file())
        else:
            case = path.with_suffix('') if path.suffix in ('.json', '.npz') else path
            files = [case.with_suffix('.json'), case.with_suffix('.npz'), case.parent / 'keys.json']
            missing = [str(f) for f in files if not f.is_file()]
            if missing:
                raise FileNotFoundError(
                    f"'{path}' is no case: {', '.join(missing)} is missing; give DIR/<case> or a "
                    'folder with keys.json')
            found.append(case)
    return [GoldenCase(p) for p in found]
