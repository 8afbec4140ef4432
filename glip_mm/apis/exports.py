"""Results in the forms of other libraries, which are imported when they are asked for."""

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .result import GroundingResult


def to_supervision(result: 'GroundingResult') -> Any:
    """Convert to ``supervision.Detections``; names are in ``data['class_name']``.

    Raises:
        ImportError: If supervision is missing.
    """
    supervision = _needed('supervision')
    masks = result.masks
    return supervision.Detections(
        xyxy=result.boxes.astype(np.float32).reshape(-1, 4),
        mask=masks if masks is not None and len(masks) else None,
        confidence=result.scores, class_id=result.labels,
        data={'class_name': np.array(result.names, dtype=str)})


def to_pandas(results: Sequence['GroundingResult | None']) -> Any:
    """Convert to a ``pandas.DataFrame`` with a row for each box; ``image`` is the position.

    Raises:
        ImportError: If pandas is missing.
    """
    pandas = _needed('pandas')
    rows = [(i, result.path, name, int(label), float(score), *box.tolist())
            for i, result in enumerate(results) if result is not None
            for name, label, score, box in zip(result.names, result.labels, result.scores,
                                               result.boxes)]
    return pandas.DataFrame(rows, columns=['image', 'path', 'name', 'label', 'score', 'x1', 'y1',
                                           'x2', 'y2'])


def _needed(package: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(f'to_{package}() needs {package}: pip install {package}') from error
