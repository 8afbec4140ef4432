"""Detections of one image as plain arrays and names.

Shapes: ``K`` boxes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from glip_mm.text import Prompt
from glip_mm.text.names import listed
from glip_mm.visualization import write_atomically


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
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    names: list[str]
    prompt: Prompt | None = None
    path: str | None = None
    size: tuple[int, int] | None = None

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
                   [names[label] for label in labels], prompt, sample.get('img_path'),
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
        return replace(self, boxes=self.boxes[keep], scores=self.scores[keep],
                       labels=self.labels[keep], names=[self.names[i] for i in keep])

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain lists, numbers and strings, ready for JSON.

        Returns:
            ``boxes``, ``scores``, ``labels``, ``names``, and ``caption``, ``path``, ``width``,
            ``height`` where known.
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
        return result

    def to_coco(self, image_id: int, category_ids: Sequence[int] | None = None
                ) -> list[dict[str, Any]]:
        """Convert to rows of a COCO result file.

        Args:
            image_id: Id of the image.
            category_ids: Category id of each label; default: the label itself.

        Returns:
            Dicts with ``image_id``, ``category_id``, ``bbox`` (x, y, width, height), ``score``.
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
        return rows

    def save(self, path: str | Path) -> Path:
        """Write :meth:`to_dict` as a JSON file, atomically."""
        text = json.dumps(self.to_dict(), ensure_ascii=False, indent=1)
        # bytes of a file name that is not UTF-8 stand as JSON escapes them
        return write_atomically(path, text.encode(errors='backslashreplace'))
