"""Comparison of an exported model with the original."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from mmdet.structures import DetDataSample
from torch import Tensor

from glip_mm.models import GLIP
from glip_mm.text import Prompt

from .metadata import Metadata

#: Largest difference of a coordinate in pixels, and of a score.
BOX_TOLERANCE = 1e-2
SCORE_TOLERANCE = 1e-4
#: Share of detections without a partner that is put down to ties: rounding decides whether a box
#: that overlaps another by just the threshold is suppressed.
TIES = 0.01

#: Boxes ``[n, 4]``, scores ``[n]`` and labels ``[n]``.
Found = tuple[np.ndarray, np.ndarray, np.ndarray]


class Difference(NamedTuple):
    """Difference of two sets of detections.

    Attributes:
        count: Detections of the original.
        box: Largest difference of a coordinate among those of one object, in pixels.
        score: Largest difference of their scores.
        alone: Share of detections of either set without a partner in the other.
    """

    count: int  # type: ignore[assignment]  # hides tuple.count
    box: float
    score: float
    alone: float

    @property
    def accepted(self) -> bool:
        """True if the difference is no more than rounding."""
        return self.alone <= TIES

    def __str__(self) -> str:
        return (f'{self.count} detections; boxes differ by up to {self.box:.1e} pixels, scores by '
                f'up to {self.score:.1e}; {self.alone:.1%} have no partner')


class ExportMismatch(RuntimeError):
    """The exported model finds something else."""


def compare(reference: Found, other: Found) -> Difference:
    """Match detections of two models on the same image.

    Partners have the same label, coordinates within ``BOX_TOLERANCE`` and scores within
    ``SCORE_TOLERANCE``; each detection has one partner at most.

    Args:
        reference: detections of the original.
        other: detections of the other model.
    """
    free = np.ones(len(other[1]), dtype=bool)
    worst_box = worst_score = 0.0
    partners = 0
    for box, score, label in zip(*reference):
        away = np.abs(other[0] - box).max(axis=1, initial=0)
        off = np.abs(other[1] - score)
        fits = free & (other[2] == label) & (away <= BOX_TOLERANCE) & (off <= SCORE_TOLERANCE)
        if fits.any():
            index = np.where(fits, away, np.inf).argmin()
            free[index] = False
            partners += 1
            worst_box = max(worst_box, float(away[index]))
            worst_score = max(worst_score, float(off[index]))
    total = len(reference[1]) + len(other[1])
    return Difference(len(reference[1]), worst_box, worst_score,
                      (total - 2 * partners) / total if total else 0.0)


@torch.no_grad()
def predict(model: GLIP, pixels: np.ndarray, prompt: Prompt,
            shown: tuple[int, int] | None = None) -> Found:
    """Detect with the original, by its own ``test_step``.

    Args:
        model: The detector.
        pixels: ``[h, w, 3]`` BGR as the network gets it, resized already.
        prompt: classes or caption to look for.
        shown: Height and width of the image in these pixels; the rest is padding.

    Returns:
        Boxes in pixels of this image, half open.
    """
    size = shown or pixels.shape[:2]
    sample = DetDataSample(metainfo=dict(img_shape=size, ori_shape=size, scale_factor=(1.0, 1.0),
                                         prompt=prompt))
    image = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
    found = model.test_step(dict(inputs=[image], data_samples=[sample]))[0].pred_instances
    boxes = found.bboxes.cpu().numpy()
    if not model.test_cfg.last_pixel:  # a peculiarity of two evaluations
        boxes = boxes + np.array([0, 0, 1, 1], boxes.dtype)
    return boxes, found.scores.cpu().numpy(), found.labels.cpu().numpy()


def to_input(pixels: np.ndarray, metadata: Metadata) -> np.ndarray:
    """Convert BGR pixels ``[h, w, 3]`` to the input ``[1, 3, h, w]`` of an exported model."""
    image: np.ndarray = pixels.astype(np.float32)
    image = image[..., ::-1] if metadata.channels == 'rgb' else image
    if metadata.normalized:
        image = (image - np.array(metadata.mean, np.float32)) / np.array(metadata.std, np.float32)
    return np.ascontiguousarray(image.transpose(2, 0, 1)[None])


def drawn_image(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Draw coloured rectangles, ``[h, w, 3]`` uint8, for checks without a picture."""
    rng = np.random.default_rng(seed)
    height, width = size
    image = rng.integers(60, 200, (height, width, 3), dtype=np.uint8)
    for _ in range(12):
        y, x = rng.integers(0, height), rng.integers(0, width)
        image[y:y + height // 4, x:x + width // 4] = rng.integers(0, 256, 3)
    return image


@torch.no_grad()
def check(model: GLIP, prompt: Prompt, metadata: Metadata,
          detect: Callable[[np.ndarray, tuple[int, int]], Sequence[Tensor]],
          images: Sequence[tuple[np.ndarray, tuple[int, int]]]) -> list[Difference]:
    """Run original and export on images.

    Args:
        model: The original.
        prompt: exported vocabulary.
        metadata: metadata of the export.
        detect: function from an input ``[1, 3, h, w]``, and height and width of the image in it,
            to detections of the export.
        images: ``[h, w, 3]`` BGR, of sizes that the export takes, with height and width of the
            image in each; the rest is padding.

    Returns:
        The differences, one an image.

    Raises:
        ExportMismatch: If one is more than rounding.
    """
    differences = []
    for pixels, shown in images:
        boxes, scores, labels = map(np.asarray, detect(to_input(pixels, metadata), shown))
        difference = compare(predict(model, pixels, prompt, shown), (boxes, scores, labels))
        if not difference.accepted:
            height, width = pixels.shape[:2]
            raise ExportMismatch(
                f'on an image of {width} x {height} pixels the exported model differs from the '
                f'original: {difference} (allowed: {BOX_TOLERANCE} pixels, {SCORE_TOLERANCE})')
        differences.append(difference)
    return differences
