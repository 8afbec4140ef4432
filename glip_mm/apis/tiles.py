"""Large images in tiles: slices that overlap, and detections merged across their borders."""

from dataclasses import dataclass, replace

import numpy as np

from glip_mm.box_iou import paired_iou

from .result import GroundingResult

#: IoU from which two boxes of a name are the same object, within what both tiles show.
SAME = 0.5
#: A box that comes as near to the border of a tile is cut by it, as a share of the tile.
MARGIN = 0.01

View = tuple[int, int, int, int]


@dataclass(frozen=True)
class Tiling:
    """Tiles of large images.

    Args:
        tile: Width and height of a tile in pixels.
        overlap: Share of a tile that its neighbours show, too.

    Raises:
        ValueError: If a value is impossible.
    """

    tile: int
    overlap: float = 0.2

    def __post_init__(self) -> None:
        if isinstance(self.tile, bool) or not isinstance(self.tile, int) or self.tile < 32:
            raise ValueError(f'tile={self.tile!r}: give a whole number of pixels from 32 on')
        if not isinstance(self.overlap, (int, float)) or not 0 <= self.overlap <= 0.8:
            raise ValueError(f'overlap={self.overlap!r}: give a share of the tile from 0 to 0.8')

    def views(self, width: int, height: int) -> list[View]:
        """Return the parts of an image that are looked at: the whole first, then the tiles.

        Args:
            width: Width of the image in pixels.
            height: Height of the image in pixels.

        Returns:
            ``x1, y1, x2, y2``, half open. Tiles have one size and spread evenly, so that neighbours
            overlap by at least ``overlap``; the whole alone if it fits a tile.

        Example:
            >>> Tiling(100, 0.2).views(180, 80)
            [(0, 0, 180, 80), (0, 0, 100, 80), (80, 0, 180, 80)]
        """
        whole = (0, 0, width, height)
        if max(width, height) <= self.tile:
            return [whole]
        return [whole, *((x, y, min(x + self.tile, width), min(y + self.tile, height))
                         for y in self._starts(height) for x in self._starts(width))]

    def _starts(self, size: int) -> list[int]:
        rest = max(size - self.tile, 0)
        step = max(int(self.tile * (1 - self.overlap)), 1)
        count = -(-rest // step)  # of steps
        return [round(rest * i / count) for i in range(count + 1)] if count else [0]


def merge_views(parts: list[GroundingResult], views: list[View]) -> GroundingResult:
    """Merge the detections of the views of an image.

    Two boxes of a name from different views are one object if they agree within what both views
    show: the boxes, cut to the common part, overlap with an IoU of at least :data:`SAME`. So a
    piece at the border of a tile belongs to the box of the whole object in its neighbour, and two
    halves of an object that no tile shows as a whole belong together. Of an object's boxes the
    best that no border cuts is kept; if all are cut, their union. Its score is the best of all.

    Args:
        parts: Detections in each view, pixels of the view.
        views: The views, see :meth:`Tiling.views`; the first is the whole image.

    Returns:
        The detections in the whole image, best first.
    """
    if len(parts) == 1:
        return parts[0]
    view = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    frames = np.array(views, np.float32)
    boxes = np.concatenate([part.boxes for part in parts]) + frames[view][:, [0, 1, 0, 1]]
    scores = np.concatenate([part.scores for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    cut = _cut(boxes, frames[view], views[0])
    kept, merged, best = [], [], []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        rows = rows[np.lexsort((-scores[rows], cut[rows]))]
        while len(rows):
            group, box = _object(boxes[rows], frames[view[rows]], view[rows], bool(cut[rows[0]]))
            kept.append(rows[0])
            merged.append(box)
            best.append(scores[rows[group]].max())
            rows = rows[~group]
    order = np.argsort(-np.array(best), kind='stable')
    rows = np.array(kept, int)[order]
    names = [name for part in parts for name in part.names]
    return replace(parts[0], boxes=np.array(merged, np.float32).reshape(-1, 4)[order],
                   scores=np.array(best, np.float32)[order], labels=labels[rows],
                   names=[names[row] for row in rows])


def _cut(boxes: np.ndarray, frames: np.ndarray, whole: View) -> np.ndarray:
    """Return which boxes touch a border of their view that is none of the image, ``[K]``."""
    margin = MARGIN * (frames[:, 2:] - frames[:, :2])
    low = (boxes[:, :2] <= frames[:, :2] + margin) & (frames[:, :2] > whole[:2])
    high = (boxes[:, 2:] >= frames[:, 2:] - margin) & (frames[:, 2:] < whole[2:])
    return (low | high).any(axis=1)


def _object(boxes: np.ndarray, frames: np.ndarray, view: np.ndarray, cut: bool
            ) -> tuple[np.ndarray, np.ndarray]:
    """Find the boxes of one name that are the same object as the first.

    Args:
        boxes: ``[K, 4]`` in the whole image; pieces come after what no border cuts.
        frames: ``[K, 4]`` view of each.
        view: ``[K]`` number of the view of each.
        cut: Whether the first is a piece, which grows by the others.

    Returns:
        Which are, ``[K]``, and the box of the object.
    """
    box, frame = boxes[0], frames[0]
    group = np.zeros(len(boxes), bool)
    group[0] = True
    while True:
        common = np.concatenate([np.maximum(frames[:, :2], frame[:2]),
                                 np.minimum(frames[:, 2:], frame[2:])], axis=1)
        agree = paired_iou(_clip(boxes, common), _clip(box[None], common)) >= SAME
        new = agree & ~group & (view != view[0])  # NMS parted those of one view already
        group |= new
        if not (cut and new.any()):
            return group, box
        box, frame = (_hull(each[group]) for each in (boxes, frames))


def _hull(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])


def _clip(boxes: np.ndarray, common: np.ndarray) -> np.ndarray:
    return np.concatenate([np.maximum(boxes[:, :2], common[:, :2]),
                           np.minimum(boxes[:, 2:], common[:, 2:])], axis=1)
