"""Reading of COCO-format files: the only reader of them.

Tools write these files in many ways: numbers as texts or as ``1.0`` (pandas), ``null`` for what
they do not know, ``\\`` in paths, a byte order mark, gzip. What has one plain meaning is read so;
what has none is left out; both are counted in a :class:`Report` by cause. Data sets, metrics,
splits and pre-flight checks use :func:`read_coco`, converters of millions of rows
:func:`iterate_coco`; so all of them see the same rows.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from glip_mm.text.names import is_blank, listed

from .boxes import LARGEST, MALFORMED, NOT_POSITIVE, OUTSIDE, four_numbers
from .data_error import DataError
from .json_container import iterate_container
from .odvg_rules import is_text, mended
from .report import Report

FORMAT = ('it must be a COCO-format file, {"images": [{"id", "file_name", "width", "height"}], '
          '"annotations": [{"id", "image_id", "category_id", "bbox": [x, y, width, height]}], '
          '"categories": [{"id", "name"}]}: export the data in that format')
NOT_AN_OBJECT = 'entry that is no JSON object or has no id'
NO_NAME = 'image without a file name'
NO_SIZE = 'image without a positive whole width and height'
NO_IMAGE = 'box of an image that is not listed'
NO_CATEGORY = 'box of a category that is not listed'
TWICE = 'image listed twice'
SIZE_READ = 'size read from the image, as the file has none'
IGNORED = 'box marked "ignore", read as iscrowd: neither learned nor scored'
SAME_FILE = 'image under a second id, kept: it counts twice'
REPEATED = 'box like another of its image and class, kept: it counts twice'
PLACEHOLDER = 'super-category without boxes, as RoboFlow writes it'

#: Section, place and row.
Placed = tuple[str, str, Any]
#: Function from a file name to width and height in pixels; None if the image cannot be read.
Sizes = Callable[[str], tuple[int, int] | None]


def plain_id(value: Any) -> int | str | None:
    """Return an id: a whole number however it is written, or a text; None for anything else.

    Example:
        >>> [plain_id(v) for v in (7, 7.0, '7', '007', 'a', 7.5, None, True)]
        [7, 7, 7, '007', 'a', None, None, None]
    """
    if type(value) is int:
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and (text := value.strip()):
        number = plain_number(text)
        return int(number) if number is not None and text == str(int(number)) else text
    return None


def plain_number(value: Any) -> float | None:
    """Return a finite number however it is written; None for anything else."""
    if type(value) is int:
        return float(value) if abs(value) < 1 << 63 else None
    if type(value) not in (float, str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if isfinite(number) else None


def plain_flag(value: Any) -> bool | None:
    """Return a flag however it is written, None being no; None for anything else."""
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, str) and value.strip().lower() in ('true', 'false', ''):
        return value.strip().lower() == 'true'
    number = plain_number(value)
    return bool(number) if number in (0, 1) else None


def iterate_coco(path: str | Path, report: Report,
                 sections: Collection[str] = ('images', 'annotations', 'categories'),
                 optional: Collection[str] = (),
                 file_name: Callable[[dict], object] = lambda image: image.get('file_name'),
                 sizes: Sizes | None = None, progress: bool = True) -> Iterator[Placed]:
    """Iterate over the rows of a COCO-format file in the order of the file, corrected.

    Args:
        path: Path of the file, plain or compressed by gzip.
        report: Report that counts rows, corrections and what is left out.
        sections: Lists to read.
        optional: Lists that may be missing.
        file_name: See :func:`plain_rows`.
        sizes: See :func:`plain_rows`.
        progress: Show a progress bar.

    Returns:
        Rows of :func:`plain_rows`; their places are such as ``'annotations[7]'``.

    Raises:
        FileNotFoundError: If there is no such file.
        DataError: If it is not JSON with these lists, or a category has no id or no name.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(f"'{path}' is a folder, not an annotation file: give the file in it, or "
                        'convert the folder with tools/dataset_converters/convert_folder.py')
    if not path.is_file():
        raise FileNotFoundError(f"annotation file '{path}' is missing: check data_root and "
                                'ann_file; docs/evaluation.md says where data go')
    ordinals = dict.fromkeys(sections, -1)

    def rows() -> Iterator[Placed]:
        for section, row in iterate_container(path, sections, progress, optional=optional):
            ordinals[section] += 1
            yield section, f'{section}[{ordinals[section]}]', row

    return plain_rows(rows(), report, file_name, sizes)


def plain_rows(rows: Iterable[Placed], report: Report,
               file_name: Callable[[dict], object] = lambda image: image.get('file_name'),
               sizes: Sizes | None = None) -> Iterator[Placed]:
    """Iterate over rows in the form of COCO, corrected.

    Ids are plain, see :func:`plain_id`; whether they are listed is not checked. ``width`` and
    ``height`` are positive integers, ``bbox`` has four finite numbers, ``iscrowd`` is 0 or 1.

    Args:
        rows: Section (``'images'``, ``'annotations'`` or ``'categories'``), place for messages,
            and row.
        report: Report that counts rows, corrections and what is left out.
        file_name: Function from an image entry to its file name.
        sizes: Source of sizes of images that have none.

    Yields:
        Section, place and row.

    Raises:
        DataError: If a category has no id or no name.
    """
    for section, where, row in rows:
        if section == 'images':
            report.rows_read += 1
            good = _image(row, where, report, file_name, sizes)
        elif section == 'annotations':
            report.boxes_read += 1
            good = _box(row, where, report)
        else:
            good = _category(row, where, report)
        if good is not None:
            yield section, where, good


def _set_id(row: dict, key: str, where: str, report: Report) -> bool:
    value = plain_id(row.get(key))
    if value is not None and type(row[key]) is not type(value):
        report.change(f'{key} that is a whole number but not written as one', where)
    row[key] = value
    return value is not None


def _image(row: Any, where: str, report: Report, file_name: Callable[[dict], object],
           sizes: Sizes | None) -> dict | None:
    if not isinstance(row, dict) or not _set_id(row, 'id', where, report):
        report.drop(NOT_AN_OBJECT, where)
        return None
    name = file_name(row)
    if isinstance(name, str) and '\\' in name:
        name = name.replace('\\', '/')
        report.change('\\ in a file name, read as /', where)
    if not (isinstance(name, str) and name) and not row.get('coco_url'):
        report.drop(NO_NAME, where)
        return None
    row['file_name'] = name
    sides = [plain_number(row.get(key)) for key in ('width', 'height')]
    whole = [int(side) for side in sides if side and 1 <= side < LARGEST and side.is_integer()]
    if len(whole) < 2:
        found = sizes(name) if sizes and isinstance(name, str) else None
        if found is None:
            report.drop(NO_SIZE, where)
            return None
        report.change(SIZE_READ, where)
        whole = list(found)
    row['width'], row['height'] = whole
    return row


def _box(row: Any, where: str, report: Report) -> dict | None:
    if not isinstance(row, dict) or not _set_id(row, 'image_id', where, report):
        report.drop(NOT_AN_OBJECT, where)
        return None
    box = four_numbers(row.get('bbox'))
    if box is None:
        box = _written_otherwise(row, where, report)
        if box is None:
            report.drop(MALFORMED, where)
            return None
    row['bbox'] = list(box)
    row.pop('segmentation', None)  # the largest part of a file, and not used
    if row.get('category_id') is not None:
        _set_id(row, 'category_id', where, report)
    flag = plain_flag(row.get('iscrowd'))
    if flag is None:
        report.change('iscrowd that is neither 0 nor 1, read as 0', where)
    row['iscrowd'] = int(bool(flag))
    if 'ignore' in row:
        row['ignore'] = int(bool(plain_flag(row['ignore'])))
        if row['ignore'] and not row['iscrowd']:
            # readers do not train on it, and COCO's metric looks at iscrowd alone
            row['iscrowd'] = 1
            report.change(IGNORED, where)
    return row


def _written_otherwise(row: dict, where: str, report: Report) -> tuple | None:
    """Read a box that is written as texts, or not at all beside an outline."""
    value, outline = row.get('bbox'), row.get('segmentation')
    if isinstance(value, (list, tuple)) and len(value) == 4:
        box = four_numbers([plain_number(v) for v in value])
        if box is not None:
            report.change('box written as texts', where)
        return box
    if not value and isinstance(outline, list) and outline:
        pieces = outline if isinstance(outline[0], list) else [outline]
        points = [plain_number(v) for piece in pieces if isinstance(piece, list) for v in piece]
        numbers = [p for p in points if p is not None]
        if len(numbers) == len(points) >= 6 and len(points) % 2 == 0:
            x, y = numbers[::2], numbers[1::2]
            report.change('box taken from its outline', where)
            return four_numbers([min(x), min(y), max(x) - min(x), max(y) - min(y)])
    return None


def _category(row: Any, where: str, report: Report) -> dict:
    name = row.get('name') if isinstance(row, dict) else None
    number = None if isinstance(name, str) else plain_number(name)
    if number is not None:
        report.change('number as the name of a category', where)
        name = f'{number:g}'
    if isinstance(name, str) and not is_text(name):
        report.change('lone surrogate in the name of a category, read as \ufffd', where)
        name = mended(name)
    if not isinstance(row, dict) or not isinstance(plain_id(row.get('id')), int) or not (
            isinstance(name, str) and not is_blank(name)):
        raise DataError(f"'{report.source}': {where} is {row!r:.200}, but needs a whole number "
                        "'id' and a text 'name'")
    _set_id(row, 'id', where, report)
    row['name'] = name
    return row


def unique_categories(rows: Iterable[dict], path: str | Path) -> list[dict]:
    """Return the categories without repetitions.

    Raises:
        DataError: If an id has several names.
    """
    found: dict[int, dict] = {}
    for row in rows:
        first = found.setdefault(row['id'], row)
        if first['name'] != row['name']:
            raise DataError(f"'{path}' has several categories of the same id: {row['id']} is that "
                            f"of '{first['name']}' and '{row['name']}'; give each an id of its "
                            'own, in annotations, too')
    return list(found.values())


def check_image_twice(first: Mapping, row: Mapping, path: str | Path) -> None:
    """Refuse an id that two different images have: their boxes cannot be told apart.

    Raises:
        DataError: If the images differ.
    """
    if first['file_name'] != row['file_name']:
        raise DataError(f"'{path}' has several images of the same id: {row['id']!r} is that of "
                        f"'{first['file_name']}' and '{row['file_name']}'; give each an id of its "
                        'own, in annotations, too')


def match_ids(ids: Iterable[Any], listed: Collection[Any]) -> dict[Any, Any]:
    """Find the listed ids that others must mean: the same number with or without leading zeros.

    Args:
        ids: Ids that are not listed.
        listed: All listed ids.

    Returns:
        Id -> listed id, for those that can mean only one.
    """
    def number(value: Any) -> int | None:
        if isinstance(value, str) and value.isdecimal():
            return int(value)
        return value if isinstance(value, int) else None

    wanted = {i: number(i) for i in ids}
    if not any(n is not None for n in wanted.values()):
        return {}
    by_number: dict[int | None, list] = {}
    for i in listed:
        by_number.setdefault(number(i), []).append(i)
    return {i: by_number[n][0] for i, n in wanted.items()
            if n is not None and len(by_number.get(n, ())) == 1}


def placeholder(categories: Sequence[Mapping], used: Collection[Any]) -> Any:
    """Return the id of a category that only groups the others, or None.

    RoboFlow's exports begin with one: it has no boxes, and all others name it as their
    super-category. As a class it would be asked for, and drawn as a negative.

    Args:
        categories: Rows of ``categories``.
        used: Ids of the categories that have boxes, in all splits.
    """
    rows = sorted(categories, key=lambda row: row['id'])
    if len(rows) > 1 and rows[0]['id'] not in used and all(
            row.get('supercategory') == rows[0]['name'] for row in rows[1:]):
        return rows[0]['id']
    return None


def read_coco(path: str | Path, needed: Sequence[str] = ('images', 'categories'),
              sizes: Sizes | None = None) -> dict[str, list[dict]]:
    """Read a COCO-format file, and log what was corrected or left out.

    See :func:`read_with_report` for arguments, result and errors.
    """
    content, report = read_with_report(path, needed, sizes)
    report.log()
    return content


def read_with_report(path: str | Path, needed: Sequence[str] = ('images', 'categories'),
                     sizes: Sizes | None = None, progress: bool = False
                     ) -> tuple[dict[str, list[dict]], Report]:
    """Read a COCO-format file.

    Args:
        path: Path of the file, plain or compressed by gzip.
        needed: Lists that must be there and not be empty. Without ``categories``, boxes need
            neither a category nor an area.
        sizes: Source of sizes of images that have none in the file.
        progress: Show a progress bar.

    Returns:
        ``images``, ``annotations`` and ``categories``, as :func:`iterate_coco` gives them.
        Annotations also have an id and an ``area`` (that of the box where the file's cannot be
        one), and belong to a listed image and category. Boxes of no size or wholly outside
        their image are left out: they can neither be learned nor found.

    Raises:
        FileNotFoundError: If there is no such file.
        DataError: If it is not of this format, ids of categories or images are not unique, or
            none of its boxes can be used.
    """
    report = Report(str(path))
    sections = ('images', 'annotations', 'categories')
    rows = iterate_coco(path, report, sections, [s for s in sections if s not in needed],
                        sizes=sizes, progress=progress)
    return collect(rows, report, needed), report


def content_of(rows: Iterable[Placed], source: str | Path, sizes: Sizes | None = None,
               report: Report | None = None) -> tuple[dict[str, list[dict]], Report]:
    """Build the content of a COCO-format file from raw rows of any other format.

    Args:
        rows: See :func:`plain_rows`; images and categories may come after their boxes.
        source: What the rows were read from, for messages.
        sizes: Source of sizes of images that have none.
        report: Report that ``rows`` themselves count in, where something cannot be a row.

    Returns:
        See :func:`read_with_report`.

    Raises:
        DataError: See :func:`read_with_report`.
    """
    report = report or Report(str(source))
    return collect(plain_rows(rows, report, sizes=sizes), report), report


def collect(rows: Iterable[Placed], report: Report,
            needed: Sequence[str] = ('images', 'categories')) -> dict[str, list[dict]]:
    """Collect the rows of :func:`plain_rows`; see :func:`read_with_report`."""
    path = report.source
    content: dict[str, list[dict]] = dict(images=[], annotations=[], categories=[])
    places: list[str] = []
    images: dict[Any, dict] = {}
    files: set[str] = set()
    for section, where, row in rows:
        if section == 'images':
            first = images.setdefault(row['id'], row)
            if first is not row:
                check_image_twice(first, row, path)
                report.drop(TWICE, where)
                continue
            if row['file_name'] in files:
                report.change(SAME_FILE, where)
            if row['file_name']:
                files.add(row['file_name'])
        elif section == 'annotations':
            places.append(where)
        content[section].append(row)
    for key in needed:
        if not content[key] and key != 'annotations':
            causes = ''.join(f'\n  {line}' for line in report.lines())
            raise DataError(f"'{path}' has no '{key}'{' that can be used' * bool(causes)}: "
                            f'{FORMAT}{causes}')
    content['categories'] = unique_categories(content['categories'], path)
    classes = {c['id'] for c in content['categories']} if 'categories' in needed else None
    content['annotations'] = _listed(content['annotations'], places, images, classes, report)
    report.rows_written = len(images)
    report.boxes_written = len(content['annotations'])
    if classes is not None and report.boxes_read and not report.boxes_written:
        raise DataError(f"none of the {report.boxes_read} annotations of '{path}' can be used:\n  "
                        + '\n  '.join(report.lines()))
    return content


def _listed(rows: list[dict], places: list[str], images: Mapping[Any, dict],
            classes: Collection[Any] | None, report: Report) -> list[dict]:
    """Return the boxes of listed images and categories, complete."""
    meant = match_ids({r['image_id'] for r in rows} - set(images), images)
    ids = Counter(plain_id(row.get('id')) for row in rows)
    free = max((i for i in ids if isinstance(i, int)), default=0)
    kept, seen = [], set[int]()
    for row, where in zip(rows, places):
        if row['image_id'] in meant:
            row['image_id'] = meant[row['image_id']]
            report.change('image_id with other leading zeros than the image', where)
        image = images.get(row['image_id'])
        if image is None:
            report.drop(NO_IMAGE, where)
            continue
        if classes is not None:
            x, y, w, h = row['bbox']
            cause = (NO_CATEGORY if row.get('category_id') not in classes else
                     NOT_POSITIVE if w <= 0 or h <= 0 else
                     OUTSIDE if x >= image['width'] or y >= image['height'] or x + w <= 0
                     or y + h <= 0 else '')
            if cause:
                report.drop(cause, where)
                continue
            _set_area(row, w, h, where, report)
        same = hash((row['image_id'], row.get('category_id'), *row['bbox']))
        if same in seen:
            report.change(REPEATED, where)
        seen.add(same)
        row['id'] = plain_id(row.get('id'))
        if row['id'] is None:
            free += 1
            row['id'] = free
        kept.append(row)
    return kept


def _set_area(row: dict, w: float, h: float, where: str, report: Report) -> None:
    area = plain_number(row.get('area'))
    # an object has no more pixels than its box touches
    if area is None or not 0 < area <= (w + 2) * (h + 2):
        if 'area' in row:
            report.change('area that its box cannot have, replaced by that of the box', where)
        area = w * h
    row['area'] = area


def class_rows(content: Mapping[str, Sequence[dict]], count: int | None = None) -> list[dict]:
    """Return the categories that are classes, in label order: ascending by id.

    A category without boxes before all others is none if it is their super-category (see
    :func:`placeholder`) and ``count`` is not all of them, or if it has id 0 and ``count`` is one
    fewer.

    Args:
        content: Content from :func:`read_coco`.
        count: Expected number of classes.
    """
    rows = sorted(content['categories'], key=lambda row: row['id'])
    used = {a['category_id'] for a in content['annotations']}
    spare = placeholder(rows, used) is not None or bool(
        rows and rows[0]['id'] == 0 and 0 not in used and count is not None)
    return rows[1:] if spare and count in (None, len(rows) - 1) else rows


def image_order(images: Iterable[dict]) -> list[dict]:
    """Sort images by id: numbers first, then texts."""
    return sorted(images, key=lambda row: (isinstance(row['id'], str), row['id']))


def categories_of(content: Mapping[str, Sequence[dict]], path: str | Path,
                  classes: Sequence[str] | None = None
                  ) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return the category ids in label order, and the class names.

    See :func:`class_rows` for a category that is no class.

    Args:
        content: Content from :func:`read_coco`.
        path: Path of the file, for error messages.
        classes: Names in label order; default: those of the file.

    Raises:
        DataError: If their number differs from the file's categories; lists both.
    """
    classes = None if classes is None else listed(classes)
    rows = class_rows(content, None if classes is None else len(classes))
    ids, names = tuple(row['id'] for row in rows), tuple(row['name'] for row in rows)
    if classes is None:
        return ids, names
    if len(classes) != len(names):
        raise DataError(
            f"'{path}' has {len(names)} categories but metainfo.classes names {len(classes)}.\n"
            f'  file:     {list(names)}\n  metainfo: {list(classes)}\n'
            'Classes stand for categories in ascending order of id: name as many, or use the '
            'annotation file that belongs to this protocol')
    return ids, tuple(classes)
