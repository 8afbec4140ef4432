"""Annotations of an LVIS file as arrays."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glip_mm.datasets.coco_file import plain_id, read_coco
from glip_mm.datasets.data_error import DataError

FREQUENCIES = ('r', 'c', 'f')


@dataclass(frozen=True)
class LVISGroundTruth:
    """Boxes of each image, and the categories that it is evaluated for.

    Letters: ``I`` images in the order of their ids, ``K`` categories in the order of their ids,
    ``G`` boxes sorted by image and category. A *pair* is an image and a category, numbered
    ``image * K + category``.

    Attributes:
        image_ids: ``[I]`` ids of the images.
        category_ids: ``[K]`` ids of the categories.
        names: Names of the categories.
        frequency: ``[K]``, index in :data:`FREQUENCIES`.
        pair: ``[G]`` pair of each box.
        boxes: ``[G, 4]`` float64, x, y, width and height in pixels.
        area: ``[G]`` float64, area of the object's mask, not of its box.
        ignore: ``[G]`` boxes to be ignored.
        scored: ``[I * K]`` pairs with boxes, or whose category is verified as absent.
        not_exhaustive: ``[I * K]`` pairs whose boxes are not exhaustively annotated.
    """

    image_ids: np.ndarray
    category_ids: np.ndarray
    names: tuple[str, ...]
    frequency: np.ndarray
    pair: np.ndarray
    boxes: np.ndarray
    area: np.ndarray
    ignore: np.ndarray
    scored: np.ndarray
    not_exhaustive: np.ndarray

    @classmethod
    def load(cls, path: str | Path) -> 'LVISGroundTruth':
        """Read an annotation file, see :func:`glip_mm.datasets.coco_file.read_coco`.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is not an LVIS file.
        """
        return cls.from_dict(read_coco(path), str(path))

    @classmethod
    def from_dict(cls, content: dict[str, Any], source: str = 'annotations') -> 'LVISGroundTruth':
        """Convert the content of an annotation file.

        Args:
            content: ``images``, ``categories`` and ``annotations`` in LVIS's format.
            source: Name of the source for error messages.

        Raises:
            ValueError: If one of LVIS's additional fields is missing, or an annotation
                refers to an image or a category that is not listed.
        """
        texts = [image['id'] for image in content['images'] if isinstance(image['id'], str)]
        if texts:
            raise DataError(f"{source}: the image id {texts[0]!r} is a text; LVIS has numbers")
        images = sorted(content['images'], key=lambda image: image['id'])
        categories = sorted(content['categories'], key=lambda category: category['id'])
        for rows, name, keys in ((images, 'image', ('neg_category_ids',
                                                    'not_exhaustive_category_ids')),
                                 (categories, 'category', ('frequency',))):
            for row in rows:
                for key in keys:
                    if key not in row:
                        raise ValueError(
                            f"{source}: {name} {row['id']} has no '{key}', so this is no LVIS "
                            'file; score COCO annotations with CocoMetric')
                if row.get('frequency', 'r') not in FREQUENCIES:
                    raise ValueError(f"{source}: category {row['id']} has frequency "
                                     f"'{row['frequency']}': one of {FREQUENCIES} is allowed")
        image_of = {image['id']: index for index, image in enumerate(images)}
        category_of = {category['id']: index for index, category in enumerate(categories)}
        K = len(categories)
        # the reference drops boxes without area as well
        boxes = [box for box in content['annotations'] if 0 < box['area'] < float('inf')]
        try:
            pair = np.array([image_of[box['image_id']] * K + category_of[box['category_id']]
                             for box in boxes], dtype=np.int64)
        except KeyError as error:
            raise ValueError(f'{source}: an annotation belongs to image or category '
                             f'{error.args[0]}, which is not listed') from None
        order = np.argsort(pair, kind='stable')
        scored = _table(len(images), K, _pairs(images, 'neg_category_ids', category_of))
        scored[pair] = True

        def column(key: str, default: Any, width: tuple[int, ...] = ()) -> np.ndarray:
            rows = np.array([box.get(key, default) for box in boxes], dtype=np.float64)
            return rows.reshape(-1, *width)[order]

        return cls(
            np.array([image['id'] for image in images], dtype=np.int64),
            np.array([category['id'] for category in categories], dtype=np.int64),
            tuple(category['name'] for category in categories),
            np.array([FREQUENCIES.index(c['frequency']) for c in categories], dtype=np.int64),
            pair[order], column('bbox', None, (4,)), column('area', None),
            column('ignore', 0) != 0, scored,
            _table(len(images), K, _pairs(images, 'not_exhaustive_category_ids', category_of)))


def _pairs(images: list[dict], key: str, category_of: dict[int, int]
           ) -> Iterator[tuple[int, int]]:
    for index, image in enumerate(images):
        for category in map(plain_id, image[key] or ()):
            if category in category_of:  # files reduced to some categories keep the full lists
                yield index, category_of[category]


def _table(images: int, K: int, pairs: Iterator[tuple[int, int]]) -> np.ndarray:
    table = np.zeros(images * K, dtype=bool)
    for image, category in pairs:
        table[image * K + category] = True
    return table
