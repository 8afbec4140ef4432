"""COCO AP of a data set whose labels are category ids."""

from collections.abc import Mapping
from typing import Any

from mmdet.datasets.api_wrappers import COCO
from mmdet.evaluation import CocoMetric as MMDetCocoMetric

from glip_mm.datasets.data_error import DataError
from glip_mm.evaluation.coco_matching import quiet_coco
from glip_mm.registry import METRICS
from glip_mm.text.names import listed


@METRICS.register_module()
class CocoMetric(MMDetCocoMetric):
    """MMDetection's ``CocoMetric`` with the labels and the rows of our data sets.

    MMDetection's looks classes up by name and takes label ``i`` for the ``i``-th found in the order
    of the *file*, so that other ids, renamed classes or two classes of one name give other numbers
    without a word. Here label ``i`` is the category that the data set says (``category_ids`` of its
    ``metainfo``, as :class:`~glip_mm.datasets.ZeroShotDataset` has it); for other data sets it
    is as in MMDetection. The file is read by :func:`glip_mm.datasets.coco_file.read_coco`.

    Args:
        ann_file: Path of the annotation file.
        metric: Name of the metrics, see MMDetection. Masks are not ours to read: ``'segm'`` reads
            the file as MMDetection does.
        kwargs: Arguments of MMDetection's ``CocoMetric``.
    """

    cat_ids: list[int] | None

    def __init__(self, ann_file: str | None = None, metric: str | list[str] = 'bbox',
                 **kwargs: Any) -> None:
        masks = 'segm' in metric
        super().__init__(ann_file=ann_file if masks else None, metric=metric, **kwargs)
        if ann_file is not None and not masks:
            # pycocotools takes a matched box of id 0 for a missed one
            self._coco_api = quiet_coco(ann_file, renumber=True, wrapper=COCO)

    def label_ids(self, metainfo: Mapping[str, Any]) -> list[int]:
        """Return the category id of each label of a data set with this ``metainfo``.

        Raises:
            DataError: If the annotations lack a class: labels would mean other categories.
        """
        if metainfo.get('category_ids') is not None:
            return list(metainfo['category_ids'])
        classes = listed(metainfo['classes'])
        ids = self._coco_api.get_cat_ids(cat_names=classes)
        if len(ids) != len(classes):
            known = [row['name'] for row in self._coco_api.load_cats(self._coco_api.get_cat_ids())]
            raise DataError(f'metainfo.classes {list(classes)[:20]} are {len(classes)}, and the '
                            f'annotations have {len(ids)} categories of these names; theirs are '
                            f'{known[:20]}')
        return list(ids)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Compute the metrics, see MMDetection."""
        if self.cat_ids is None and self._coco_api is not None:
            self.cat_ids = self.label_ids(self.dataset_meta or {})
        return super().compute_metrics(results)
