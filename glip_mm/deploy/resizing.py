"""Images in the size that an exported model takes, as the test pipeline of its config makes it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import mmcv
import mmdet.datasets.transforms  # noqa: F401
import numpy as np
from mmengine.registry import DefaultScope

from glip_mm import datasets  # noqa: F401
from glip_mm.registry import SCOPE, TRANSFORMS

from .metadata import Metadata


def resize_steps(pipeline: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the resizing steps of a test pipeline, in plain values for a file.

    Args:
        pipeline: config of the pipeline.

    Raises:
        ValueError: If one is random, or given as a class instead of a name.
    """
    steps = [dict(step) for step in pipeline if 'Resize' in str(step['type'])]
    for step in steps:
        if 'Random' in str(step['type']) or not isinstance(step['type'], str):
            raise ValueError(f'the step {step!r} of the test pipeline can not be repeated by an '
                             'exported model: give one with a fixed scale, and its type by name')
    return json.loads(json.dumps(steps))


def resize(image: np.ndarray, metadata: Metadata) -> np.ndarray:
    """Resize ``[h, w, 3]`` uint8 as the test pipeline does; less if it would not fit in."""
    results: dict[str, Any] = {'img': image, 'img_shape': image.shape[:2]}
    with DefaultScope.overwrite_default_scope(SCOPE):
        for step in metadata.resize:
            # JSON has no tuples, and the transforms tell a scale from a list of scales by them
            step = {k: tuple(v) if isinstance(v, list) else v for k, v in step.items()}
            results = TRANSFORMS.build(step)(results)
    resized = results['img']
    most = metadata.size or resized.shape[:2]
    if resized.shape[0] <= most[0] and resized.shape[1] <= most[1]:
        return resized
    height, width = image.shape[:2]
    scale = min(most[0] / height, most[1] / width)
    size = [max(1, min(limit, round(side * scale))) for side, limit in zip((height, width), most)]
    backend = metadata.resize[0].get('backend') if metadata.resize else None
    return mmcv.imresize(image, (size[1], size[0]), backend=backend or 'cv2')


def fit(image: np.ndarray, metadata: Metadata) -> tuple[np.ndarray, tuple[int, int]]:
    """Resize an image, and pad it if the model has a fixed size.

    Args:
        image: ``[h, w, 3]`` uint8 BGR.
        metadata: metadata of the exported model.

    Returns:
        Pixels ``[h', w', 3]`` for the model, and how much of them shows the image: height and
        width.
    """
    return pad(resize(image, metadata), metadata)


def pad(image: np.ndarray, metadata: Metadata) -> tuple[np.ndarray, tuple[int, int]]:
    """Pad an image that fits in to the size of the model, see :func:`fit`."""
    shown = image.shape[:2]
    if metadata.size is None or shown == metadata.size:
        return image, shown
    # the network's own padding is 0 after normalisation
    mean = metadata.mean[::-1] if metadata.channels == 'rgb' else metadata.mean
    padded = np.empty((*metadata.size, 3), dtype=np.float32)
    padded[:] = mean
    padded[:shown[0], :shown[1]] = image
    return padded, shown
