"""Evaluation data set of descriptions (D3): each image is asked for those of its scenario."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glip_mm.registry import DATASETS

from .boxes import xyxy
from .coco_file import categories_of, image_order, read_coco
from .data_error import DataError
from .phrase_datasets import PhraseDataset
from .plain_pickle import read_plain_pickle


@DATASETS.register_module()
class DescriptionDataset(PhraseDataset):
    """The Description Detection Dataset, D3 (arXiv 2307.12813).

    ``ann_file`` is COCO's format, with a category for each description. As published, an image is
    asked for the descriptions of its own scenario (intra-scenario), in ascending order of id:
    ``images.pkl`` has the scenario of each image, ``groups.pkl`` the descriptions of each.
    With ``scenarios=None`` every image is asked for all of them (inter-scenario).

    Sample fields besides MMDetection's: ``text`` (descriptions), ``category_ids`` (of each),
    ``dataset_name``; they belong into ``meta_keys`` of ``PackDetInputs``. Boxes of descriptions
    that the image is not asked for are not among its ``instances``; the metric counts them as
    missed, as published.

    Args:
        scenarios: Folder below ``data_root`` with the two pickle files, read as plain values.
        dataset_name: Name of the data set in results.
        kwargs: Arguments of MMDetection's ``BaseDetDataset``.

    Raises:
        FileNotFoundError: If a file is missing.
        DataError: If a file has another format, or an image or description no entry.
    """

    def __init__(self, *args: Any, scenarios: str | None = 'd3_pkl', **kwargs: Any) -> None:
        self.scenarios = scenarios
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Build one entry per image, ascending by image id."""
        content = read_coco(self.ann_file)
        ids, names = categories_of(content, self.ann_file, None)
        text = dict(zip(ids, names))
        asked = self._asked(ids)
        boxes: dict[Any, list[dict]] = defaultdict(list)
        for annotation in content['annotations']:
            boxes[annotation['image_id']].append(annotation)
        samples = []
        for image in image_order(content['images']):
            wanted: Sequence[int] | None = ids if asked is None else asked.get(image['id'])
            if not wanted or not text.keys() >= set(wanted):
                raise DataError(f"'{self.ann_file}': image {image['id']} has the descriptions "
                                f'{wanted} by the files in {self.scenarios!r}; the file knows '
                                f'{len(ids)}, {ids[:3]}, ...: take both from the same release')
            found: list[list[list]] = [
                [xyxy(a['bbox']) for a in boxes[image['id']] if a['category_id'] == category]
                for category in wanted]
            samples.append(self._sample(image, [text[i] for i in wanted], None, found,
                                        category_ids=list(wanted)))
        return samples

    def _asked(self, ids: Sequence[int]) -> dict[Any, Sequence[int]] | None:
        """Return the descriptions of each image; None if they are all."""
        if self.scenarios is None:
            return None
        folder = Path(self.data_root or '', self.scenarios)
        images, groups = (self._table(folder / name) for name in ('images.pkl', 'groups.pkl'))
        try:
            return {key: sorted(groups[image['group_id']]['inner_sent_id'])
                    for key, image in images.items()}
        except (KeyError, TypeError) as error:
            raise DataError(f"'{folder}': images.pkl needs a 'group_id' for each image, and "
                            f"groups.pkl its 'inner_sent_id': {error!r}") from error

    @staticmethod
    def _table(path: Path) -> dict:
        table = read_plain_pickle(path)
        if not isinstance(table, dict):
            raise DataError(f"'{path}' holds a {type(table).__name__}, not a dict by id")
        return table
