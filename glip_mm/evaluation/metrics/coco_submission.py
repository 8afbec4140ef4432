"""COCO test-dev: detections in a file for the evaluation server."""

import json
from pathlib import Path
from typing import Any

from mmengine.logging import MMLogger

from glip_mm.atomic_files import write_atomically
from glip_mm.evaluation.coco_matching import coco_results
from glip_mm.registry import METRICS

from .coco_metric import CocoMetric


@METRICS.register_module()
class COCOSubmission(CocoMetric):
    """Writes the detections of images whose boxes are not public; nothing is scored.

    The file is the JSON list of COCO's result format; the server takes it in a zip file.

    Results: ``images`` and ``boxes``, the numbers written.

    Args:
        ann_file: File with the images and the categories.
        name: Name of the written file. The server asks for
            ``detections_test-dev2017_[NAME]_results.json``.
        folder: Folder of the written file; default: the work directory of the runner.
        kwargs: Arguments of :class:`.CocoMetric`.
    """

    def __init__(self, ann_file: str, name: str = 'detections_test-dev2017_glip_results.json',
                 folder: str | None = None, **kwargs: Any) -> None:
        super().__init__(ann_file=ann_file, format_only=True, outfile_prefix=name, **kwargs)
        self.name, self.folder = name, folder

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Write the file."""
        found = {row['img_id']: (row['bboxes'], row['scores'], row['labels'])
                 for _, row in results}
        rows = coco_results(found, self.label_ids(self.dataset_meta or {}))
        path = write_atomically(Path(self.folder or '.', self.name), json.dumps(rows).encode())
        MMLogger.get_current_instance().info(
            f"{len(rows)} boxes of {len(found)} images are in '{path}': put it into a zip file "
            'and send that to the evaluation server of COCO')
        return dict(images=len(found), boxes=len(rows))
