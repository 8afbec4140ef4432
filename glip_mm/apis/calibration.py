"""Score thresholds found on annotated images."""

from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from mmengine.logging import MMLogger

from glip_mm.datasets.data_paths import below
from glip_mm.datasets.formats.opening import open_folder
from glip_mm.evaluation.analysis.errors import best_threshold
from glip_mm.evaluation.analysis.ground_truth import read_ground_truth
from glip_mm.evaluation.analysis.matching import match_dataset
from glip_mm.evaluation.analysis.results import DatasetResult, TestImage
from glip_mm.thresholds import Thresholds

if TYPE_CHECKING:
    from .inferencer import GLIPInferencer


def calibrate(inferencer: 'GLIPInferencer', data: str | PathLike, precision: float | None = None,
              batch_size: int = 1) -> Thresholds:
    """Find the threshold of each class of annotated images, and one for all other names.

    The model is asked for all classes at once, and its boxes are matched with the annotated ones at
    IoU 0.5, as in the report of a test.

    Args:
        inferencer: Model.
        data: Folder or file in any format of :data:`glip_mm.datasets.formats.FORMATS`. Of several
            splits ``val`` is taken.
        precision: Share of the boxes of a class that are to be right: its threshold is the lowest
            at which they are, 1 where none is. Default: the threshold of the best F1.
        batch_size: Number of images per forward pass.

    Returns:
        The thresholds. A class of which nothing was found has that of all other names, which is
        the best over all classes together.

    Raises:
        FileNotFoundError: If there are no such data, or no image of them is there.
        ValueError: If they are in no known format, or the precision is no share.
    """
    if precision is not None and not 0 < precision <= 1:
        raise ValueError(f'precision={precision!r}: give a share above 0, up to 1')
    folder = open_folder(Path(data))
    split = next(iter(folder.splits)) if len(folder.splits) == 1 else 'val'
    if split not in folder.splits:
        raise ValueError(f"'{data}' has the splits {', '.join(folder.splits)}, and none is val: "
                         'give the annotation file of one')
    with TemporaryDirectory() as temporary:
        found = _detect(inferencer, folder, split, Path(temporary), batch_size)
        matches = match_dataset(found, read_ground_truth(found), progress=False)
    default = best_threshold(found, matches, precision=precision)
    by_name, unreached = {}, []
    for label in np.unique(found.labels[matches.match >= 0]).tolist():
        by_name[found.classes[label]] = best_threshold(found, matches, label, precision)
        if by_name[found.classes[label]] == 1.:
            unreached.append(found.classes[label])
    if unreached:
        MMLogger.get_current_instance().warning(
            f'precision={precision:g} is not reached at any score by {unreached}: their threshold '
            'is 1, which shows nothing')
    if not by_name:
        raise ValueError(f"nothing that the model found in '{data}' is right: no threshold can be "
                         'found there')
    return Thresholds(default, by_name, tuple(by_name))


def _detect(inferencer: 'GLIPInferencer', folder: Any, split: str, temporary: Path,
            batch_size: int) -> DatasetResult:
    """Detect the classes of a split in its images."""
    content, images = folder.content(split), folder.image_folder(split, temporary)
    rows, classes = content['images'], folder.classes(split)
    try:
        paths = [below(images, row['file_name']) for row in rows]
    except ValueError as error:
        raise ValueError(f"'{folder.splits[split].source}': {error}") from None
    results = inferencer(paths, list(classes), batch_size=batch_size)
    used = [(row, result) for row, result in zip(rows, results) if result is not None]
    return DatasetResult(
        folder.name, folder.coco_file(split, temporary), str(images), tuple(classes), len(used),
        [TestImage(row['id'], result.path, result.size[::-1], None, i)
         for i, (row, result) in enumerate(used)],
        np.repeat(np.arange(len(used)), [len(result) for _, result in used]),
        np.concatenate([result.boxes for _, result in used]),
        np.concatenate([result.scores for _, result in used]),
        np.concatenate([result.labels for _, result in used]))
