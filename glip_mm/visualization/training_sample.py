"""A picture of what the network will see in a training."""

from pathlib import Path
from typing import Any

import numpy as np

from glip_mm.datasets.stream.grounding_stream import seeded
from glip_mm.text.names import listed

from .dataset_sample import DatasetSample, from_item, locate
from .files import save_image

#: Number of samples of which the first with a box is drawn.
SOUGHT = 8


def save_training_sample(dataset: Any, path: str | Path) -> Path:
    """Draw boxes and words of a sample on the image as the training pipeline gives it.

    Boxes are drawn where the network gets them, also if that is wrong. Random generators keep
    their states.

    Args:
        dataset: Training set, wrapped or not.
        path: File of the picture.

    Returns:
        ``path``.

    Raises:
        LookupError: If the pipeline leaves out all samples that were tried.
        OSError, ValueError: If a sample cannot be read, or the picture not be written.
    """
    count = len(dataset)
    chosen: DatasetSample | None = None
    for index in np.linspace(0, count - 1, min(count, SOUGHT)).astype(int).tolist():
        sample = _sample(dataset, index)
        chosen = chosen or sample
        if sample is not None and len(sample.boxes):
            chosen = sample
            break
    if chosen is None:
        raise LookupError(f'the pipeline leaves out {SOUGHT} of {SOUGHT} samples')
    height, width = chosen.image.shape[:2]
    title = f'training sample, {width} x {height}: {Path(chosen.path).name}'
    return save_image(path, chosen.draw(title=title))


def _sample(dataset: Any, index: int) -> DatasetSample | None:
    member, row = locate(dataset, index)
    with seeded(0):
        # a dataset that is asked for an item silently gives another where the pipeline says no
        item = member.prepare_data(row) if hasattr(member, 'prepare_data') else member[row]
    if item is None:
        return None
    return from_item(item, listed((getattr(member, 'metainfo', None) or {}).get('classes') or ()))
