"""Run an exported ONNX file on images."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from .checking import to_input
from .metadata import Metadata
from .onnx_export import run, session
from .resizing import fit
from .suppression import Suppression, suppress


class Detections(NamedTuple):
    """Detections in an image.

    Attributes:
        boxes: ``[n, 4]`` float32 xyxy (half open) in pixels of the image as it was given.
        scores: ``[n]`` float32, best first.
        labels: ``[n]`` int64.
        names: Name of each box.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    names: list[str]


class ONNXDetector:
    """A detector of a fixed vocabulary, made by ``tools/export.py``.

    Args:
        path: The file.
        threads: 0: as onnxruntime likes.
        providers: execution providers of onnxruntime, for example ``['CUDAExecutionProvider']``.

    Raises:
        ImportError: If onnxruntime is missing.
        ValueError: If the file was not made by this package.

    Example:
        >>> detector = ONNXDetector('pets.onnx')
        >>> detector(mmcv.imread('kitchen.jpg')).names
        ['cat', 'dog']
    """

    def __init__(self, path: str | Path, threads: int = 0,
                 providers: Sequence[str] = ('CPUExecutionProvider',)) -> None:
        self.session = session(path, threads, providers)
        self.metadata = Metadata.from_strings(self.session.get_modelmeta().custom_metadata_map)
        self.rule = Suppression(**self.metadata.suppression)

    @property
    def names(self) -> list[str]:
        """Name of each label."""
        return self.metadata.names

    def __call__(self, image: np.ndarray) -> Detections:
        """Detect in an image.

        Args:
            image: ``[h, w, 3]`` uint8 BGR. It is resized as in testing; for a file of a fixed
                size it is made to fit and padded.

        Returns:
            What was found, in pixels of this image.
        """
        pixels, (height, width) = fit(image, self.metadata)
        boxes, scores, labels = run(self.session, to_input(pixels, self.metadata),
                                    (height, width) if self.metadata.takes_shown else None)
        if not self.metadata.nms:
            found = suppress(torch.as_tensor(boxes), torch.as_tensor(scores),
                             torch.as_tensor(labels), self.rule, (height, width))
            boxes, scores, labels = (part.numpy() for part in found)
        # the last pixel is added in the frame of the result, as in published evaluations
        pixel = np.array([0, 0, 1, 1], dtype=np.float32)
        limit = np.array([width - 1, height - 1] * 2, dtype=np.float32)
        factor = np.array([width / image.shape[1], height / image.shape[0]] * 2, dtype=np.float32)
        boxes = np.minimum(boxes - pixel, limit) / factor + pixel
        return Detections(boxes, scores, labels, [self.names[label] for label in labels])
