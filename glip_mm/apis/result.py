"""Detections of one image as plain arrays and names.

Shapes: ``K`` boxes.
"""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from glip_mm.atomic_files import write_atomically
from glip_mm.text import Prompt
from glip_mm.text.names import listed
from glip_mm.thresholds import Thresholds
from glip_mm.visualization import draw_grounding

from . import exports
from .masks import RunLengths, decode_masks
from .window import show_picture


@dataclass(frozen=True, eq=False)
class GroundingResult:
    """Boxes of one image with their names.

    Args:
        boxes: ``[K, 4]`` float32, pixels of the original image, ``x1, y1, x2, y2`` (half open, as
            everywhere in MMDetection).
        scores: ``[K]`` float32, best first.
        labels: ``[K]`` int64, index of the entity in the prompt.
        names: Name of each box: the class name as given, or the words of the phrase.
        prompt: Prompt of the image.
        path: File or address of the image; ``None`` for an array.
        size: Width and height of the image in pixels.
        thresholds: Scores from which boxes are shown, those of the call.
        read: Function that reads the image again, ``[height, width, 3]`` uint8 RGB.
        segments: Mask of each box in run lengths, where masks were asked for.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    names: list[str]
    prompt: Prompt | None = None
    path: str | None = None
    size: tuple[int, int] | None = None
    thresholds: Thresholds = field(default=Thresholds(), repr=False)
    read: Callable[[], np.ndarray] | None = field(default=None, repr=False)
    segments: list[RunLengths] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.labels)

    def __bool__(self) -> bool:
        # an image without detections is no failure; a failed image is None
        return True

    def __repr__(self) -> str:
        best = ', '.join(f'{name} {score:.2f}' for name, score in zip(self.names[:5], self.scores))
        more = ', ...' if len(self) > 5 else ''
        return f'GroundingResult({self.path or "array"}: {len(self)} boxes: {best}{more})'

    @classmethod
    def from_data_sample(cls, sample: Any) -> 'GroundingResult':
        """Take the predictions of a ``DetDataSample``.

        Args:
            sample: Data sample with ``pred_instances`` and a prompt in one of the forms that
                :meth:`Prompt.from_data_sample` reads.
        """
        found = sample.pred_instances
        prompt = Prompt.from_data_sample(sample)
        names = prompt.names
        labels = found.labels.cpu().numpy().astype(np.int64)
        shape = sample.get('ori_shape')
        return cls(found.bboxes.float().cpu().numpy(), found.scores.float().cpu().numpy(), labels,
                   [names[label] for label in labels.tolist()], prompt, sample.get('img_path'),
                   None if shape is None else (int(shape[1]), int(shape[0])))

    def select(self, score_thr: float = 0.0, top_k: int | None = None,
               names: str | Sequence[str] | None = None) -> 'GroundingResult':
        """Select boxes by score, number or name.

        Args:
            score_thr: Minimum score.
            top_k: Maximum number of boxes; the best are kept.
            names: Names of the boxes to keep; a string is one name.

        Returns:
            A new result, best first.
        """
        wanted = None if names is None else set(listed(names))
        order = np.argsort(-self.scores, kind='stable')
        keep = [i for i in order if self.scores[i] >= score_thr
                and (wanted is None or self.names[i] in wanted)][:top_k]
        return self.take(keep)

    def take(self, rows: Sequence[int] | np.ndarray, **changes: Any) -> 'GroundingResult':
        """Return a result of some of the boxes, in the given order.

        Args:
            rows: Indices of the boxes.
            changes: Fields with new values.
        """
        rows = np.asarray(rows, int)
        if self.segments is not None:
            changes.setdefault('segments', [self.segments[i] for i in rows])
        return replace(self, boxes=self.boxes[rows], scores=self.scores[rows],
                       labels=self.labels[rows], names=[self.names[i] for i in rows], **changes)

    @property
    def shown(self) -> 'GroundingResult':
        """The boxes that reach the threshold of their name, best first."""
        return self.take(self.shown_rows())

    def shown_rows(self) -> np.ndarray:
        """Return the positions of the boxes of :attr:`shown`."""
        order = np.argsort(-self.scores, kind='stable')
        return order[self.scores[order] >= self.thresholds.at(self.names)[order]]

    @property
    def masks(self) -> np.ndarray | None:
        """The masks of the boxes, ``[K, height, width]`` bool; None if there are none."""
        return None if self.segments is None else decode_masks(self.segments)

    @property
    def image(self) -> np.ndarray:
        """The image, ``[height, width, 3]`` uint8 RGB; a file is read again.

        Raises:
            FileNotFoundError, ImageError: If it is gone.
            ValueError: If the result was made without an image.
        """
        if self.read is None:
            raise ValueError('this result knows no image: only those of an inferencer do')
        return self.read()

    def plot(self, **style: Any) -> np.ndarray:
        """Draw the boxes that are :attr:`shown`.

        Args:
            style: Options of :func:`glip_mm.visualization.draw_grounding`, such as ``palette`` and
                ``caption``.

        Returns:
            ``[height + caption, width, 3]`` uint8 RGB.
        """
        return draw_grounding(self.image, self.shown, score_thr=0, **style)

    def show(self, wait_time: float = 0, **style: Any) -> None:
        """Show :meth:`plot` in a window.

        Args:
            wait_time: Seconds that it stays; 0: until a key is pressed.
            style: Options of :meth:`plot`.

        Raises:
            ValueError: If there is no display.
        """
        show_picture(self.plot(**style), Path(self.path or 'array').name, wait_time)

    def _repr_png_(self) -> bytes | None:
        """Return :meth:`plot` as a PNG file, which notebooks show."""
        if self.read is None:
            return None
        buffer = io.BytesIO()
        Image.fromarray(self.plot()).save(buffer, format='PNG')
        return buffer.getvalue()

    def crop(self) -> list[np.ndarray]:
        """Cut the boxes that are :attr:`shown` out of the image.

        Returns:
            A uint8 RGB array for each, in the order of :attr:`shown`; its box is rounded outwards
            and has at least one pixel.
        """
        image = self.image
        height, width = image.shape[:2]
        crops = []
        for x1, y1, x2, y2 in self.shown.boxes:
            left, top = int(np.clip(x1, 0, width - 1)), int(np.clip(y1, 0, height - 1))
            right = int(np.clip(np.ceil(x2), left + 1, width))
            bottom = int(np.clip(np.ceil(y2), top + 1, height))
            crops.append(image[top:bottom, left:right].copy())
        return crops

    def to_supervision(self) -> Any:
        """Convert all boxes to ``supervision.Detections``, see :func:`.exports.to_supervision`."""
        return exports.to_supervision(self)

    def to_pandas(self) -> Any:
        """Convert all boxes to a ``pandas.DataFrame``, see :func:`.exports.to_pandas`."""
        return exports.to_pandas([self]).drop(columns='image')

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain lists, numbers and strings, ready for JSON.

        Returns:
            ``boxes``, ``scores``, ``labels``, ``names``, and ``caption``, ``path``, ``width``,
            ``height`` and ``masks`` (run lengths) where known.
        """
        result: dict[str, Any] = {
            'boxes': [[round(float(v), 2) for v in box] for box in self.boxes],
            'scores': [round(float(score), 4) for score in self.scores],
            'labels': [int(label) for label in self.labels],
            'names': list(self.names),
        }
        if self.prompt is not None:
            result['caption'] = self.prompt.caption
        if self.path is not None:
            result['path'] = self.path
        if self.size is not None:
            result['width'], result['height'] = self.size
        if self.segments is not None:
            result['masks'] = self.segments
        return result

    def to_coco(self, image_id: int, category_ids: Sequence[int] | None = None
                ) -> list[dict[str, Any]]:
        """Convert to rows of a COCO result file.

        Args:
            image_id: Id of the image.
            category_ids: Category id of each label; default: the label itself.

        Returns:
            Dicts with ``image_id``, ``category_id``, ``bbox`` (x, y, width, height), ``score``,
            and ``segmentation`` (run lengths) where there are masks.
        """
        rows = []
        for (x1, y1, x2, y2), score, label in zip(self.boxes.tolist(), self.scores.tolist(),
                                                  self.labels.tolist()):
            rows.append({
                'image_id': image_id,
                'category_id': label if category_ids is None else category_ids[label],
                'bbox': [x1, y1, x2 - x1, y2 - y1],
                'score': score,
            })
        for row, segment in zip(rows, self.segments or ()):
            row['segmentation'] = segment
        return rows

    def save(self, path: str | Path) -> Path:
        """Write :meth:`to_dict` as a JSON file, atomically."""
        text = json.dumps(self.to_dict(), ensure_ascii=False, indent=1)
        # bytes of a file name that is not UTF-8 stand as JSON escapes them
        return write_atomically(path, text.encode(errors='backslashreplace'))
