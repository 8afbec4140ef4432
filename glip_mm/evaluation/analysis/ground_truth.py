"""Read the ground truth of a tested data set, in the order of its images and labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glip_mm.datasets.coco_file import read_coco
from glip_mm.text import Prompt

from .phrase_rows import PhraseRows
from .results import DatasetResult

#: Letters of the frequency groups of LVIS and what they mean.
FREQUENCIES = dict(r='rare', c='common', f='frequent')


@dataclass(frozen=True)
class GroundTruth:
    """``G`` boxes of the images of a :class:`DatasetResult`.

    Attributes:
        classes: Names of the ``C`` labels; ``('phrases',)`` where every image has its own.
        image: ``[G]`` position in the result's images.
        boxes: ``[G, 4]`` xyxy, half open, pixels.
        labels: ``[G]`` label of each box, as detections have it.
        areas: ``[G]`` square pixels; of the mask where the file has one.
        crowd: ``[G]`` whether a box stands for many objects: detections in it are not judged.
        frequency: ``[C]`` groups ``'r'``, ``'c'``, ``'f'``, if the file tells (LVIS).
        listed: For each image the labels that annotators looked for, if the file tells: a
            detection with another label is not judged.
        partial: For each image the labels of which only some objects have boxes, if the file
            tells: a false detection with such a label is not judged.
        prompts: For each image its caption with the phrases, in data of phrases.
    """

    classes: tuple[str, ...]
    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    areas: np.ndarray
    crowd: np.ndarray
    frequency: tuple[str, ...] | None = None
    listed: tuple[frozenset[int], ...] | None = None
    partial: tuple[frozenset[int], ...] | None = None
    prompts: tuple[Prompt, ...] | None = None

    @property
    def phrases(self) -> bool:
        """Return whether labels are phrases of an image rather than classes."""
        return self.prompts is not None


def read_ground_truth(dataset: DatasetResult) -> GroundTruth:
    """Read the annotation file of a data set.

    Args:
        dataset: Data set; classes are read from its file, in the format of COCO or LVIS, and
            phrases through the data set that the config names.

    Returns:
        The boxes of the images that were tested.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is of another format, or its categories or images do not fit the result.
    """
    path = dataset.ann_file
    if not path.is_file():
        raise FileNotFoundError(f"the annotation file '{path}' of '{dataset.name}' is missing; "
                                'make the report in the directory where the test ran')
    if dataset.phrases:
        return read_phrases(dataset)
    return _read_coco(dataset, read_coco(path))


def _read_coco(dataset: DatasetResult, content: Mapping[str, Any]) -> GroundTruth:
    label_of = _labels(dataset, content['categories'])
    position = {image.img_id: i for i, image in enumerate(dataset.images)}
    known = {image['id']: image for image in content['images']}
    unknown = [i for i in position if i not in known]
    if unknown:
        raise ValueError(f"'{dataset.ann_file}' has no image with id {unknown[0]!r}, which "
                         f"'{dataset.name}' was tested on: it is not the file of that test")
    rows = [a for a in content['annotations']
            if a['image_id'] in position and a['category_id'] in label_of]
    boxes = np.array([a['bbox'] for a in rows], dtype=np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    labels = np.array([label_of[a['category_id']] for a in rows], dtype=np.int64)
    image = np.array([position[a['image_id']] for a in rows], dtype=np.int64)
    frequency = {label_of[c['id']]: c.get('frequency') for c in content['categories']
                 if c['id'] in label_of}
    listed = partial = None
    if any('neg_category_ids' in known[i] for i in position):
        found: list[set[int]] = [set() for _ in dataset.images]
        for i, label in zip(image, labels):
            found[i].add(int(label))

        def of(key: str) -> list[set[int]]:
            return [{label_of[c] for c in known[i].get(key, ()) if c in label_of} for i in position]
        listed = tuple(frozenset(a | b) for a, b in zip(found, of('neg_category_ids')))
        partial = tuple(frozenset(a) for a in of('not_exhaustive_category_ids'))
    return GroundTruth(
        dataset.classes, image, boxes, labels,
        np.array([a['area'] for a in rows], dtype=np.float64),
        np.array([bool(a['iscrowd']) for a in rows], dtype=bool),
        tuple(frequency[i] for i in range(len(dataset.classes)))
        if set(frequency.values()) <= set(FREQUENCIES) else None, listed, partial)


def _labels(dataset: DatasetResult, categories: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """Map category ids to labels."""
    by_name: dict[str, list[int]] = {}
    for category in categories:
        by_name.setdefault(category['name'], []).append(category['id'])
    classes = dataset.classes
    if len(set(classes)) == len(classes) and all(len(by_name.get(n, ())) == 1 for n in classes):
        return {by_name[name][0]: label for label, name in enumerate(classes)}
    ids = sorted(category['id'] for category in categories)
    if len(ids) != len(classes):
        missing = [name for name in classes if name not in by_name]
        raise ValueError(
            f"'{dataset.name}' was tested with {len(classes)} classes, but '{dataset.ann_file}' "
            f'has {len(ids)} categories'
            + (f", and none of them is called '{missing[0]}'" if missing else ''))
    # other names for the same categories, as for synonyms
    return {category: label for label, category in enumerate(ids)}


def read_phrases(dataset: DatasetResult) -> GroundTruth:
    """Read phrases and their boxes as the data set itself does.

    Raises:
        ValueError: If the config does not name the data set, or it holds other images.
    """
    rows = PhraseRows(dataset)
    prompts, image, boxes, labels = [], [], [], []
    for position in range(len(dataset.images)):
        prompt, found = rows[position]
        prompts.append(prompt)
        for label, box in found:
            image.append(position)
            labels.append(label)
            boxes.append(box)
    array = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    return GroundTruth(
        ('phrases', ), np.array(image, dtype=np.int64), array, np.array(labels, dtype=np.int64),
        (array[:, 2:] - array[:, :2]).prod(axis=1), np.zeros(len(array), dtype=bool),
        prompts=tuple(prompts))
