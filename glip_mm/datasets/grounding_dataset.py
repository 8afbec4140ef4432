"""Data set of detection, grounding and image-text samples, of any size."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from mmengine.dataset import BaseDataset

from glip_mm.registry import DATASETS

from .bad_sample import BadSample, naming_the_image
from .bad_sample_counter import BadSampleCounter, DroppedBoxCounter
from .data_paths import below
from .label_map import checked_label_map, read_label_map
from .odvg_rules import HARMLESS, check_row
from .replacing_dataset import MAX_ATTEMPTS, ReplacingDataset, check_policy
from .storage import MappedTable, Source, open_or_build

_NO_LABEL_MAP = ('a JSON file {"0": "name", ...} of all classes, from which those that an image '
                 'does not show are drawn')


@DATASETS.register_module()
class GroundingDataset(ReplacingDataset, BaseDataset):
    """Samples of ODVG JSON lines, COCO, LVIS or MDETR JSON, TSV bundles, or tar shards.

    Opening maps an index (see :mod:`.storage.mapped_table`), which is built beside the data the
    first time and whenever the data change; annotations are read from the user's files one by one.
    Samples look like those of MMDetection's ``ODVGDataset``, so that its transforms work: detection
    has ``text`` (label -> name) and labels, grounding has ``text`` (the caption) and ``phrases``.

    A faulty box is dropped, counted by cause and logged, and its image stays, see
    :func:`.odvg_rules.clean`; only if more than half of all boxes are dropped, training ends.

    A sample that cannot be used (a row without usable structure, a missing or broken image, any
    error of a transform) is replaced, see :class:`.replacing_dataset.ReplacingDataset`.

    With ``on_bad='stop'`` the first bad sample or faulty box ends the training, with file and
    line.

    Args:
        ann_file: Annotation file; for shards and JSON lines also a pattern such as
            ``{00000..00099}.tar`` or ``labels/*.jsonl``.
        data_root: Root folder of ``ann_file``, ``label_map_file`` and ``data_prefix``.
        data_prefix: ``dict(img=...)``, the folder of the images.
        format: ``'odvg'``, ``'coco'``, ``'lvis'``, ``'mdetr'``, ``'tsv'`` (``ann_file`` is the
            bundle's YAML file), ``'tar'``, or one that was added to
            :data:`glip_mm.datasets.converters.FORMATS`. ``'folder'``: ``ann_file`` is a folder,
            or a file such as ``data.yaml``, in any format of
            :data:`glip_mm.datasets.formats.FORMATS`; one of their names says which. It is
            converted once, like ``'coco'``; images are looked for where the format has them.
        label_map_file: JSON of label -> name, which ODVG detection data need: negatives are
            drawn from it.
        filter_cfg: Filters; ``filter_empty_gt=True`` leaves out images without usable boxes.
        on_bad: Policy for bad samples, ``'replace'`` or ``'stop'``; testing stops at a bad sample
            in any case.
        max_bad: Share of bad samples above which the training ends even with ``'replace'``.
        index_dir: Folder of the index; default: beside the data.
        split: Split of a folder; one that is not divided is taken as a whole.
        pipeline, metainfo, test_mode, lazy_init: Arguments of MMEngine's ``BaseDataset``.
        return_classes: Accepted for MMDetection's configs; always true here.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If there is no sample, an argument is invalid, or the label map is missing.
    """

    def __init__(self, ann_file: str, data_root: str = '', data_prefix: dict | None = None,
                 format: str = 'odvg', label_map_file: str | None = None,
                 metainfo: dict | None = None, filter_cfg: dict | None = None,
                 pipeline: Sequence[dict | Any] = (), test_mode: bool = False,
                 lazy_init: bool = False, on_bad: str = 'replace', max_bad: float = 0.01,
                 index_dir: str | None = None, split: str = 'train',
                 return_classes: bool = True) -> None:
        check_policy(on_bad, 'GroundingDataset')
        unknown = set(filter_cfg or {}) - {'filter_empty_gt'}
        if unknown:
            raise ValueError(f'GroundingDataset.filter_cfg knows filter_empty_gt, got {unknown}')
        self.format, self.label_map_file, self.index_dir = format, label_map_file, index_dir
        self.split = split
        self.strict = on_bad == 'stop'
        self.on_bad = 'stop' if test_mode else on_bad
        self.max_bad = max_bad
        self.label_map: dict | None = None
        super().__init__(
            ann_file=ann_file, data_root=data_root, data_prefix=data_prefix or dict(img=''),
            metainfo=metainfo, filter_cfg=filter_cfg, pipeline=list(pipeline),
            test_mode=test_mode, lazy_init=lazy_init, serialize_data=False)

    # ---------------------------------------------------------------- opening

    _fully_initialized: bool

    def full_init(self) -> None:
        """Open the index, after building it if necessary."""
        if self._fully_initialized:
            return
        self.source = Source(self.ann_file, self.format, self.split)
        self.table = self.source.open_table(self.index_dir)
        self.selection = self._select()
        self._read_label_map()
        self._check_vocabulary()
        self.counter = BadSampleCounter(f"'{self.ann_file}'", self.max_bad)
        self.dropped_boxes = DroppedBoxCounter(f"'{self.ann_file}'")
        self._fully_initialized = True
        if not len(self):
            raise ValueError(f"'{self.ann_file}' holds no sample"
                             + (' with boxes: filter_cfg.filter_empty_gt=True drops all others'
                                if len(self.table) else ''))

    def _select(self) -> MappedTable | None:
        if not (self.filter_cfg or {}).get('filter_empty_gt'):
            return None

        def with_boxes():
            start = 0
            for boxes in self.table.batches('boxes'):
                # -1 marks a broken record, which the policy for bad samples handles
                yield from ((start + i,) for i in np.flatnonzero(boxes != 0).tolist())
                start += len(boxes)
        selection = open_or_build(self.table.path.with_suffix('.with-boxes.arrow'), [],
                                  [('row', pa.int32())], with_boxes, kind=self.table.stamp)
        return None if len(selection) == len(self.table) else selection

    def _read_label_map(self) -> None:
        if self.label_map_file:
            try:
                self.label_map = checked_label_map(Path(self.data_root or '')
                                                   / self.label_map_file)
            except FileNotFoundError as error:
                raise FileNotFoundError(f'{error}: check label_map_file') from None
        elif self.source.label_map_file:
            self.label_map = read_label_map(self.source.label_map_file)
        else:
            return
        self._metainfo.setdefault('classes', tuple(
            self.label_map[label] for label in sorted(self.label_map)))

    def _check_vocabulary(self) -> None:
        """Refuse detection data without a label map: they would be trained without negatives."""
        for row in range(min(len(self.table), MAX_ATTEMPTS) if self.label_map is None else 0):
            try:
                record: Any = self.source.record(self.table.row(row))
            except BadSample:
                continue
            if isinstance(record, dict) and 'detection' in record:
                raise ValueError(f"{self.source.where(self.table.row(row))}: detection data need "
                                 f'label_map_file: {_NO_LABEL_MAP}')
            if isinstance(record, dict) and 'grounding' in record:
                return

    # ---------------------------------------------------------------- what it holds

    def __len__(self) -> int:
        self.full_init()
        return len(self.table if self.selection is None else self.selection)

    def _rows(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        samples = np.asarray(indices, np.int64)
        return samples if self.selection is None else self.selection.take('row', samples)

    def sizes(self, indices: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return widths and heights of samples, each ``[n]``, from the index alone."""
        self.full_init()
        rows = self._rows(indices)
        return self.table.take('width', rows), self.table.take('height', rows)

    def where(self, index: int) -> str:
        """Return file and line of a sample."""
        self.full_init()
        return self.source.where(self.table.row(self._rows([index])[0]))

    def caption(self, index: int) -> str:
        """Return the caption of a grounding sample without reading its image.

        Raises:
            KeyError: If it is a detection sample.
        """
        where, _, check = self._read(index)
        if 'grounding' not in check.record:
            raise KeyError(f'{where} is detection data and has no caption')
        return check.record['grounding']['caption']

    def _read(self, idx: int) -> tuple[str, dict, Any]:
        """Return a sample's place, its row of the index, and its checked record.

        Raises:
            BadSample: If nothing of the record can be used.
        """
        self.full_init()
        row = self.table.row(self._rows([idx])[0])
        where = self.source.where(row)
        check = check_row(self.source.record(row), self.label_map)
        fault = check.fatal_problem or next(
            (p for p in check.problems if self.strict and p.cause not in HARMLESS), None)
        if fault is not None:
            raise BadSample(fault.cause, where, str(fault))
        return where, row, check

    def get_data_info(self, idx: int) -> dict:
        """Read the annotations of a sample, without its faulty boxes.

        Raises:
            BadSample: If nothing of its record can be used.
        """
        where, row, check = self._read(idx)
        self.dropped_boxes.count(check.boxes, check.dropped, where)
        record = check.record
        packed = self.source.image(row)
        try:
            path = f"{packed[0]}/{record['filename']}" if packed else below(
                self.data_prefix.get('img') or self.source.image_root, record['filename'])
        except ValueError as error:
            raise BadSample('bad file name', where, str(error)) from None
        info = dict(
            img_path=path, height=record['height'], width=record['width'], sample_idx=idx,
            img_id=record.get('image_id', idx), where=where)
        if packed:
            info['img_bytes_ref'] = packed[1]
        if 'detection' in record:
            self._add_detection(info, record['detection'])
        else:
            self._add_grounding(info, record['grounding'])
            # a region of lost boxes may have no phrase to be listed without a box
            info['num_without_box'] += check.lost_regions
        return info

    def _add_detection(self, info: dict, content: dict) -> None:
        if self.label_map is None:
            raise BadSample('no label map', info['where'],
                            f'detection data need label_map_file: {_NO_LABEL_MAP}')
        info.update(dataset_mode='OD', text=self.label_map, custom_entities=True, instances=[
            dict(bbox=i['bbox'], bbox_label=i['label'], ignore_flag=int(bool(i.get('ignore'))))
            for i in content['instances']])
        for key in ('negatives', 'not_exhaustive'):
            if key in content:
                info[key] = content[key]

    def _add_grounding(self, info: dict, content: dict) -> None:
        instances: list[dict] = []
        phrases = {}
        for label, region in enumerate(content['regions']):
            boxes, scores = region['bbox'], region.get('score')
            if boxes and not isinstance(boxes[0], list):
                boxes, scores = [boxes], None if scores is None else [scores]
            for i, box in enumerate(boxes):
                instances.append(dict(bbox=box, bbox_label=label, ignore_flag=0,
                                      **({} if scores is None else dict(score=(
                                          scores[i] if isinstance(scores, list) else scores)))))
            phrases[label] = dict(phrase=region['phrase'],
                                  tokens_positive=region['tokens_positive'])
        info.update(dataset_mode='VG', text=content['caption'], phrases=phrases,
                    instances=instances, other_caption=self._other_caption,
                    num_without_box=len(content.get('without_box', ())))

    def _other_caption(self, rng: Any) -> str:
        """Return the caption of a random sample; what cannot be used is counted and drawn anew."""
        for _ in range(MAX_ATTEMPTS):
            chosen = int(rng.randint(len(self)))
            self.counter.count_read()
            try:
                return self.caption(chosen)
            except KeyError:  # detection data
                continue
            except BadSample as error:
                if self.on_bad == 'stop':
                    raise
                self.counter.count_bad(error)
        raise BadSample('no caption', f"'{self.ann_file}'", f'{MAX_ATTEMPTS} rows in a row have '
                        'none: give captions=FILE to the transform that asks for those of others')

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the labels of a sample's boxes."""
        return [i['bbox_label'] for i in self.get_data_info(idx)['instances']]

    # ---------------------------------------------------------------- samples

    def prepare_data(self, idx: int) -> Any:
        """Load a sample and run its pipeline; return None if the pipeline rejects it.

        Raises:
            BadSample: If its record or its image cannot be used.
        """
        info = self.get_data_info(idx)
        if (self.filter_cfg or {}).get('filter_empty_gt') and not self.test_mode and all(
                i['ignore_flag'] for i in info['instances']):
            return None  # the index counts boxes that the rules drop
        with naming_the_image(info['img_path'], info['where']):
            return self.pipeline(info)

    def before_sample(self) -> None:
        """Open the index, and check the share of dropped boxes."""
        self.full_init()
        self.dropped_boxes.check()
