"""COCO AP of every data set of a suite, and their mean."""

from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from pycocotools.coco import COCO
from terminaltables import AsciiTable

from glip_mm.atomic_files import write_atomically
from glip_mm.csv_text import csv_text
from glip_mm.datasets.coco_file import class_rows
from glip_mm.evaluation.coco_matching import (
    MAX_DETS,
    best_detections,
    coco_results,
    match_boxes,
    mean_precision,
    precision_of,
    quiet_coco,
)
from glip_mm.registry import METRICS

#: What is measured of each data set.
STATS = ('AP', 'AP50', 'AP75', 'APs', 'APm', 'APl')

#: Note under tables with metrics that are not a number.
NO_BOX = ('-: no box of that size to find in the annotations (small: area below 32 x 32 pixels, '
          'medium: below 96 x 96, large: above)')


class SuiteRow(NamedTuple):
    """Results of a data set. Values are in 0..1, or nan without ground truth."""

    name: str
    images: int
    boxes: int
    classes: int
    AP: float
    AP50: float
    AP75: float
    APs: float
    APm: float
    APl: float


@METRICS.register_module()
class ODinWMetric(BaseMetric):
    """Zero-shot AP over many detection data sets, such as ODinW: of each, mean and median.

    A sample belongs to the set that its ``dataset_name`` names; label ``i`` is the ``i``-th
    category in ascending order of id, as in :class:`~glip_mm.datasets.ZeroShotDataset`. AP is
    pycocotools', over all images of the set's annotation file.

    Results: ``NAME`` (AP) of every set, ``mean`` and ``median`` over sets, each in 0..1. If
    sets are missing, the last two are called ``mean_of_N`` and ``median_of_N`` instead: they
    are not the published number. A set without any ground truth is nan and excluded from them.

    Args:
        datasets: Name -> annotation file.
        num_classes: Name -> number of classes, which is checked if given.
        suite_size: Number of sets in the complete suite; default: as many as ``datasets`` has.
        out_file: Path of a CSV file for the table; empty: not written.
        max_dets: Maximum number of detections per image.
        renumber: Whether to renumber the annotations. pycocotools takes a matched box of id 0 for
            a missed one, and boxes that share an id for the same. Published results were computed
            with the ids of the files.
        collect_device: Device for collecting results, see MMEngine.
        prefix: Prefix of the result names.

    Raises:
        ValueError: If ``datasets`` is empty.
    """

    default_prefix = 'odinw'

    def __init__(self, datasets: Mapping[str, str],
                 num_classes: Mapping[str, int] | None = None,
                 suite_size: int | None = None, out_file: str | None = None,
                 max_dets: int = MAX_DETS, renumber: bool = False,
                 collect_device: str = 'cpu', prefix: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if not datasets:
            raise ValueError('ODinWMetric.datasets must name at least one data set, got none')
        self.datasets, self.num_classes = dict(datasets), dict(num_classes or {})
        self.suite_size = len(self.datasets) if suite_size is None else suite_size
        self.out_file, self.max_dets, self.renumber = out_file, max_dets, renumber
        #: Rows of the last evaluation, in the order of ``datasets``.
        self.rows: list[SuiteRow] = []

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Add the detections of a batch.

        Args:
            data_batch: Unused.
            data_samples: Samples with ``dataset_name``, ``img_id`` and ``pred_instances``, boxes
                xyxy half open in pixels of the original image.

        Raises:
            KeyError: If a sample belongs to no data set of this metric.
        """
        for sample in data_samples:
            name = sample.get('dataset_name')
            if name not in self.datasets:
                raise KeyError(
                    f"sample '{sample.get('img_path')}' has dataset_name={name!r}, but "
                    f'ODinWMetric.datasets has {list(self.datasets)}; use ZeroShotDataset with '
                    "dataset_name and put 'dataset_name' into meta_keys of PackDetInputs")
            found = sample['pred_instances']
            self.results.append((name, sample['img_id'], *best_detections(
                found['bboxes'].float().cpu().numpy(), found['scores'].float().cpu().numpy(),
                found['labels'].cpu().numpy(), self.max_dets)))

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        """Compute the AP of each data set.

        Args:
            results: Results of :meth:`process`, of all processes.

        Returns:
            Values of the metrics that the class lists.
        """
        found: dict[str, dict[Any, tuple]] = defaultdict(dict)
        for name, image, *detections in results:
            found[name][image] = tuple(detections)
        self.rows = [self._evaluate(name, path, found[name])
                     for name, path in self.datasets.items()]
        metrics: dict[str, float] = OrderedDict((row.name, row.AP) for row in self.rows)
        values = [row.AP for row in self.rows if not np.isnan(row.AP)]
        note = '' if len(values) == self.suite_size else f'_of_{len(values)}'
        metrics[f'mean{note}'] = float(np.mean(values)) if values else float('nan')
        metrics[f'median{note}'] = float(np.median(values)) if values else float('nan')
        logger = MMLogger.get_current_instance()
        logger.info('\n' + suite_table(self.rows))
        for row in self.rows:
            if np.isnan(row.AP):
                logger.warning(f"{row.name}: AP is not a number, as '{self.datasets[row.name]}' "
                               f'has no box of any of its {row.classes} classes to find, so that '
                               'the set counts in no mean: annotate it, or test another split')
        if note:
            logger.warning(f'{len(values)} of {self.suite_size} data sets were evaluated: the '
                           'mean is not that of the whole suite')
        if self.out_file:
            write_atomically(self.out_file, suite_csv(self.rows).encode())
        return metrics

    def category_ids(self, name: str, content: Mapping[str, Any]) -> list[Any]:
        """Return the category id of each label.

        Args:
            name: Name of the data set.
            content: Content of its annotation file.

        Raises:
            ValueError: If their number is not that of ``num_classes``.
        """
        wanted = self.num_classes.get(name)
        rows = class_rows(content, wanted)
        if wanted is not None and len(rows) != wanted:
            raise ValueError(f"'{self.datasets[name]}' of {name} has {len(rows)} categories, but "
                             f'the protocol has {wanted}: {[row["name"] for row in rows]}')
        return [row['id'] for row in rows]

    def _evaluate(self, name: str, path: str, found: dict[Any, tuple]) -> SuiteRow:
        truth = quiet_coco(path, self.renumber)
        ids = self.category_ids(name, truth.dataset)
        missing = set(truth.getImgIds()) - set(found)
        if missing:
            MMLogger.get_current_instance().warning(
                f'{name}: {len(missing)} of {len(truth.imgs)} images have no result and count as '
                f'images without detections, for example image {min(missing, key=str)}')
        boxes = sum(not a['iscrowd'] for a in truth.dataset['annotations'])
        values = dict.fromkeys(STATS, float('nan'))
        if boxes:
            values = _coco_ap(truth, coco_results(found, ids), ids, self.max_dets)
        return SuiteRow(name, len(truth.imgs), boxes, len(ids), **values)


def _coco_ap(truth: COCO, rows: list[dict], ids: Sequence[int], max_dets: int
             ) -> dict[str, float]:
    evaluation = match_boxes(truth, rows, ids, max_dets=max_dets)
    precision, thresholds = precision_of(evaluation), evaluation.params.iouThrs
    parts = [precision[..., 0], precision[np.isclose(thresholds, .5)][..., 0],
             precision[np.isclose(thresholds, .75)][..., 0],
             *(precision[..., size] for size in (1, 2, 3))]
    return dict(zip(STATS, map(mean_precision, parts)))


def _percent(value: float) -> str:
    return '-' if np.isnan(value) else f'{100 * value:.1f}'


def suite_table(rows: Sequence[SuiteRow]) -> str:
    """Format rows, mean and median as text; AP in percent, with a note on what is not a number."""
    cells: list[list] = [['data set', 'images', 'boxes', 'classes', *STATS]]
    cells += [[r.name, r.images, r.boxes, r.classes, *(_percent(getattr(r, k)) for k in STATS)]
              for r in rows]
    for title, over in (('mean', np.mean), ('median', np.median)):
        columns = ([getattr(r, k) for r in rows if not np.isnan(getattr(r, k))] for k in STATS)
        cells.append([f'{title} of {sum(not np.isnan(r.AP) for r in rows)}', '', '', '',
                      *(_percent(over(c) if c else float('nan')) for c in columns)])
    table = AsciiTable(cells)
    for column in range(1, len(cells[0])):
        table.justify_columns[column] = 'right'
    table.inner_footing_row_border = False
    missing = any(np.isnan(getattr(row, k)) for row in rows for k in STATS)
    return table.table + f'\n{NO_BOX}' * missing


def suite_csv(rows: Sequence[SuiteRow]) -> str:
    """Format rows as CSV, values in 0..1; empty without ground truth."""
    return csv_text([SuiteRow._fields, *rows])
