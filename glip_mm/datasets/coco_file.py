"""Reading and checking of COCO-format files; errors name the faulty row."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .data_error import DataError

#: Id of the supercategory in RoboFlow's exports, which has no boxes.
BACKGROUND_ID = 0
FORMAT = ('it must be a COCO-format file, {"images": [{"id", "file_name", "width", "height"}], '
          '"annotations": [{"id", "image_id", "category_id", "bbox": [x, y, width, height]}], '
          '"categories": [{"id", "name"}]}: export the data in that format')


def read_coco(path: str, needed: Sequence[str] = ('images', 'categories')) -> dict:
    """Read a COCO-format file and check it.

    Args:
        path: Path of the file.
        needed: Lists that must be there and not be empty. If ``categories`` is among them, rows
            are checked, too.

    Raises:
        FileNotFoundError: If it is missing.
        DataError: If it is not JSON with these lists, or a row lacks a mandatory field.
    """
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8-sig'))
    except FileNotFoundError:
        raise FileNotFoundError(f"annotation file '{path}' is missing: check data_root and "
                                'ann_file; docs/evaluation.md says where data go') from None
    except ValueError as error:
        raise DataError(f"'{path}' is not valid JSON ({error}): fetch or export the file again"
                         ) from error
    for key in needed:
        if not isinstance(content, dict) or not content.get(key):
            raise DataError(f"'{path}' has no '{key}': {FORMAT}")
    if 'categories' in needed:
        check_coco(content, path)
    return content


def categories_of(content: dict, path: str, classes: Sequence[str] | None = None
                  ) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return the category ids in label order, and the class names.

    Args:
        content: Content of a COCO-format file.
        path: Path of the file, for error messages.
        classes: Names in label order; default: those of the file.

    Raises:
        DataError: If their number differs from the file's categories; lists both.
    """
    rows = sorted(content['categories'], key=lambda row: row['id'])
    ids = [row['id'] for row in rows]
    if classes is not None and len(rows) == len(classes) + 1 and ids[0] == BACKGROUND_ID and all(
            a['category_id'] != BACKGROUND_ID for a in content.get('annotations', ())):
        rows = rows[1:]
    names = tuple(row['name'] for row in rows)
    if classes is None:
        return tuple(row['id'] for row in rows), names
    if len(classes) != len(names):
        raise DataError(
            f"'{path}' has {len(names)} categories but metainfo.classes names {len(classes)}.\n"
            f'  file:     {list(names)}\n  metainfo: {list(classes)}\n'
            'Classes stand for categories in ascending order of id: name as many, or use the '
            'annotation file that belongs to this protocol')
    return tuple(row['id'] for row in rows), tuple(classes)


def check_coco(content: dict, path: str) -> None:
    """Refuse rows that cannot be read, and ids that are not unique.

    Args:
        content: Content of a COCO-format file with categories.
        path: Path of the file, for error messages.

    Raises:
        DataError: If rows are faulty, for the first kind of fault; names the first such row.
    """
    for key in ('images', 'annotations', 'categories'):
        if not isinstance(content.get(key, []), list):
            raise DataError(f"'{path}': '{key}' is a {type(content[key]).__name__} and not a "
                             f'list: {FORMAT}')
    _rows(path, content['categories'], 'category', "a whole number 'id' and a text 'name'",
          lambda row: _whole(row.get('id')) and isinstance(row.get('name'), str))
    _rows(path, content['images'], 'image',
          "'id', 'file_name' (LVIS: 'coco_url'), 'width' and 'height' in pixels",
          lambda row: _named(row.get('id')) and (row.get('file_name') or row.get('coco_url'))
          and _side(row.get('width')) and _side(row.get('height')))
    _rows(path, content.get('annotations', ()), 'annotation',
          "'image_id', 'category_id' and 'bbox' [x, y, width, height] of four numbers (outlines "
          'alone are not enough: export boxes, too)',
          lambda row: 'image_id' in row and 'category_id' in row and _box(row.get('bbox')))
    if len({isinstance(row['id'], str) for row in content['images']}) > 1:
        raise DataError(f"'{path}': ids of images are numbers and texts: make all of them numbers")
    for key in ('categories', 'images'):
        ids = Counter(row['id'] for row in content[key])
        double = [i for i, n in ids.items() if n > 1]
        if double:
            names = [row.get('name', row.get('file_name')) for row in content[key]
                     if row['id'] == double[0]]
            raise DataError(f"'{path}' has several {key} of the same id ({len(double)} such "
                            f'ids): {double[0]!r} is that of {names[:5]}; give each an id of its '
                            'own, in annotations, too, or remove what is there twice')


def _rows(path: str, rows: Sequence[Any], what: str, needed: str,
          good: Callable[[dict], Any]) -> None:
    bad: list[Any] = [row for row in rows if not isinstance(row, dict) or not good(row)]
    if bad:
        raise DataError(f"'{path}': {len(bad)} of {len(rows)} rows are no complete {what}, the "
                         f'first: {str(bad[0])[:200]}; each needs {needed}')


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _named(value: Any) -> bool:
    return _whole(value) or isinstance(value, str)


def _side(value: Any) -> bool:
    return isinstance(value, (int, float)) and value > 0


def _box(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 4 and all(
        isinstance(v, (int, float)) for v in value)
