"""Evaluation data set of detection: COCO or LVIS annotations, classes by category id."""

from collections import defaultdict
from pathlib import Path
from typing import Any

from mmdet.datasets import BaseDetDataset
from mmengine.logging import print_log

from glip_mm.registry import DATASETS

from .bad_sample import naming_the_image
from .bad_sample_counter import BadSampleCounter
from .boxes import xyxy
from .coco_file import categories_of, image_order, read_coco
from .data_error import DataError
from .data_paths import below
from .replacing_dataset import ReplacingDataset, check_policy


@DATASETS.register_module()
class ZeroShotDataset(ReplacingDataset, BaseDetDataset):
    """Images, boxes and class names of a COCO-format file.

    Label ``i`` is the ``i``-th category of the file in ascending order of id, whatever its name
    there: published protocols rename classes (ODinW), and MMDetection's ``CocoDataset``, which
    looks categories up by name, silently loses a renamed class. If ``metainfo`` has no
    classes, the file's own names are used. What :func:`.coco_file.class_rows` takes for no class
    is left out.

    Every image of the file is a sample, also without boxes, unless a training has
    ``filter_cfg=dict(filter_empty_gt=True)``: then those without a box of more than a pixel are
    left out, as published. Which rows are read, corrected or left out is the same as in the
    metrics, see :mod:`glip_mm.datasets.coco_file`. Sample fields besides MMDetection's:
    ``dataset_name``. ``metainfo`` besides ``classes``: ``category_ids``.

    Args:
        dataset_name: Name of the data set in results; default: name of its folder.
        image_names: Field with the file names: ``'file_name'``, or ``'coco_url'`` for LVIS, as LVIS
            1.0 has no file names: the last two parts of the address
            (``val2017/000000000139.jpg``).
        caption_prompt: Overrides of class names in the prompt, see
            :meth:`glip_mm.text.Prompt.from_names`.
        on_bad: Policy for samples that cannot be used in training: ``'replace'``, see
            :class:`.replacing_dataset.ReplacingDataset`, or ``'stop'``. Testing always stops.
        max_bad: Share of bad samples above which the training ends even with ``'replace'``.
        return_classes: Accepted for MMDetection's configs; always true here.
        kwargs: Arguments of MMDetection's ``BaseDetDataset``: ``ann_file``, ``data_root``,
            ``data_prefix``, ``metainfo``, ``pipeline``, ``test_mode``, ... ``serialize_data`` is
            False by default: True spares the memory of workers with large sets.

    Raises:
        FileNotFoundError: If the annotation file is missing.
        ValueError: If the file is not of this format, or has another number of categories than
            ``metainfo``.
    """

    def __init__(self, *args: Any, dataset_name: str | None = None,
                 image_names: str = 'file_name', return_classes: bool = True,
                 on_bad: str = 'replace', max_bad: float = 0.1, **kwargs: Any) -> None:
        if image_names not in ('file_name', 'coco_url'):
            raise ValueError("ZeroShotDataset.image_names must be 'file_name' or 'coco_url', got "
                             f'{image_names!r}')
        check_policy(on_bad, 'ZeroShotDataset')
        self.dataset_name, self.image_names = dataset_name, image_names
        self.on_bad, self.max_bad = 'stop' if kwargs.get('test_mode') else on_bad, max_bad
        # serialising runs the garbage collector first: a second or two per data set of a suite
        kwargs.setdefault('serialize_data', False)
        super().__init__(*args, return_classes=True, **kwargs)
        self.counter = BadSampleCounter(f"'{self.ann_file}'", max_bad)

    def load_data_list(self) -> list[dict]:
        """Build one entry per image, ascending by image id."""
        content = read_coco(self.ann_file)
        ids, names = categories_of(content, self.ann_file, self._metainfo.get('classes'))
        self._metainfo.update(classes=names, category_ids=ids)
        if self.dataset_name is None:
            self.dataset_name = Path(self.ann_file).resolve().parent.name
        label = {category: i for i, category in enumerate(ids)}
        boxes: dict[Any, list[dict]] = defaultdict(list)
        for annotation in content['annotations']:
            # boxes of the background category, if there are any, belong to no class
            if annotation['category_id'] in label:
                boxes[annotation['image_id']].append(annotation)
        return [self._sample(image, boxes[image['id']], label)
                for image in image_order(content['images'])]

    def _sample(self, image: dict, annotations: list[dict], label: dict[int, int]) -> dict:
        name = image.get(self.image_names)
        if not name:
            raise DataError(f"'{self.ann_file}': image {image['id']} has no {self.image_names}; "
                            "set image_names='file_name' or 'coco_url' in the dataset")
        if self.image_names == 'coco_url':
            name = '/'.join(name.split('/')[-2:])
        try:
            path = below(self.data_prefix.get('img'), name)
        except ValueError as error:
            raise DataError(f"'{self.ann_file}': image {image['id']}: {error}") from None
        instances = []
        for annotation in annotations:
            instances.append(dict(bbox=xyxy(annotation['bbox']),
                                  bbox_label=label[annotation['category_id']],
                                  ignore_flag=annotation['iscrowd']))
        info = dict(
            img_id=image['id'], img_path=path,
            height=image['height'], width=image['width'], instances=instances,
            text=self._metainfo['classes'], custom_entities=True,
            dataset_name=self.dataset_name)
        if self.caption_prompt is not None:
            info['caption_prompt'] = self.caption_prompt
        return info

    def prepare_data(self, idx: int) -> Any:
        """Load a sample and run its pipeline.

        Raises:
            BadSample: If its image is missing or broken.
        """
        info = self.get_data_info(idx)
        info['where'] = self._place(info)
        with naming_the_image(info['img_path'], info['where']):
            return self.pipeline(info)

    def where(self, index: int) -> str:
        """Return file and image id of a sample."""
        return self._place(self.get_data_info(index))

    def _place(self, info: dict) -> str:
        return f"'{self.ann_file}' image {info['img_id']}"

    def filter_data(self) -> list[dict]:
        """Return all samples, or in training those with a box if ``filter_cfg`` says so.

        Raises:
            DataError: If none is left.
        """
        if self.test_mode or not (self.filter_cfg or {}).get('filter_empty_gt'):
            return self.data_list
        kept = [info for info in self.data_list if any(
            min(x2 - x1, y2 - y1) > 1 for x1, y1, x2, y2 in (i['bbox'] for i in info['instances']))]
        if not kept:
            raise DataError(f"'{self.ann_file}': none of its {len(self.data_list)} images has a "
                            'box of more than a pixel, so filter_cfg.filter_empty_gt=True leaves '
                            'none: annotate them')
        if len(kept) < len(self.data_list):
            print_log(f"'{self.ann_file}': {len(self.data_list) - len(kept)} of "
                      f'{len(self.data_list)} images have no box and are left out '
                      '(filter_cfg.filter_empty_gt)', 'current')
        return kept
