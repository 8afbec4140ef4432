"""Parquet files of the Hugging Face Hub: images, and ``objects`` with boxes and classes.

Read by PyArrow. The images lie in the files; ``SplitFiles.unpack`` writes them out.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from glip_mm.atomic_files import write_atomically
from glip_mm.datasets.boxes import four_numbers
from glip_mm.datasets.coco_file import Placed, content_of
from glip_mm.datasets.data_error import DataError
from glip_mm.datasets.image_size import image_size, size_below
from glip_mm.datasets.report import Report
from glip_mm.image_suffixes import IMAGE_SUFFIXES
from glip_mm.text.safe_json import load_json

from .annotation_files import image_folder, root_of, split_in
from .base import Format, Sniffed, SplitFiles

BOXES = ('bbox', 'bboxes', 'boxes')
CLASSES = ('category', 'categories', 'label', 'labels', 'category_id', 'class')
SUFFIXES = ((b'\x89PNG', '.png'), (b'\xff\xd8', '.jpg'), (b'RIFF', '.webp'), (b'BM', '.bmp'))


class Table(NamedTuple):
    """Columns of a file.

    Attributes:
        image: Column of the image: encoded, or its path.
        objects: Column of the objects.
        boxes: Field of the boxes in it.
        classes: Field of the classes in it.
        names: Class names, if the classes are numbers.
        sizes: Whether there are columns ``width`` and ``height``.
    """

    image: str
    objects: str
    boxes: str
    classes: str
    names: list[str] | None
    sizes: bool


def _fields(kind: pa.DataType) -> list[str]:
    """Return the names of the fields of a struct, or of a list of structs."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        kind = kind.value_type
    return [kind.field(i).name for i in range(kind.num_fields)] if pa.types.is_struct(kind) else []


def _names_in(feature: Any, inside: bool, field: str) -> list[str] | None:
    """Find the class names of a field in the metadata that the ``datasets`` library writes."""
    if isinstance(feature, list):
        feature = {str(i): one for i, one in enumerate(feature)}
    if not isinstance(feature, dict):
        return None
    if inside and isinstance(feature.get('names'), list):
        return feature['names']
    return next((found for key, one in feature.items()
                 if (found := _names_in(one, inside or key == field, field))), None)


def table_of(path: Path) -> Table | None:
    """Return the columns of a file; None if it has no boxes of classes, or is no parquet file."""
    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowException):
        return None
    for column in schema:
        fields = _fields(column.type)
        boxes = next((name for name in BOXES if name in fields), None)
        classes = next((name for name in CLASSES if name in fields), None)
        image = next((name for name in ('image', 'image_path', 'file_name', 'filename', 'path')
                      if name in schema.names), None)
        if boxes and classes and image:
            try:
                info = load_json((schema.metadata or {}).get(b'huggingface', b'{}'))
                features = info['info']['features']
            except (ValueError, KeyError, TypeError):
                features = {}
            return Table(image, column.name, boxes, classes,
                         _names_in(features.get(column.name), False, classes),
                         {'width', 'height'} <= set(schema.names))
    return None


def _groups(folder: Path) -> dict[str, list[Path]]:
    """Return split -> files, ``data/train-00000-of-00002.parquet`` and the like."""
    if folder.is_file():
        return {split_in(folder.name): [folder]} if folder.suffix == '.parquet' else {}
    found: dict[str, list[Path]] = {}
    for path in sorted([*folder.glob('*.parquet'), *folder.glob('*/*.parquet')]):
        name = path.name.partition('-')[0].removesuffix('.parquet')
        split = split_in(name) or split_in(path.parent.name if path.parent != folder else '')
        found.setdefault(split or ('' if name.isdecimal() else name), []).append(path)
    tables = {split: [path for path in paths if table_of(path)] for split, paths in found.items()}
    return {split: paths for split, paths in tables.items() if paths}


def sniff(folder: Path) -> Sniffed | None:
    """Guess by the columns of the files."""
    for paths in _groups(folder).values():
        table = table_of(paths[0])
        if table is not None:
            return Sniffed(.9, f"'{paths[0].name}' has columns '{table.image}' and "
                           f"'{table.objects}' with '{table.boxes}' and '{table.classes}'")
    return None


class _Image(NamedTuple):
    """An image: its name, and its encoded content unless it is a file already."""

    name: str
    content: bytes | None


def _image(cell: Any, split: str, number: int) -> _Image:
    path = cell.get('path') if isinstance(cell, dict) else cell
    content = cell.get('bytes') if isinstance(cell, dict) else cell
    if isinstance(path, bytes):
        path = None
    if not isinstance(content, bytes):
        return _Image(path or '', None)
    suffix = Path(path or '').suffix.lower()
    if suffix not in IMAGE_SUFFIXES:
        suffix = next((s for start, s in SUFFIXES if content.startswith(start)), '.png')
    # paths in the file may come twice, or lead elsewhere; splits share a folder
    return _Image(f'{split or "all"}_{number:08d}{suffix}', content)


def _rows(paths: Iterable[Path], columns: Sequence[str]) -> Iterator[tuple[str, int, dict]]:
    number = 0
    for path in paths:
        line = 0
        try:
            for batch in pq.ParquetFile(path).iter_batches(batch_size=64, columns=list(columns)):
                for row in batch.to_pylist():
                    yield f'{path.name} row {line}', number, row
                    number, line = number + 1, line + 1
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"'{path}' cannot be read behind row {line} ({error}): fetch it "
                            'again') from None


def _objects(cell: Any, table: Table) -> list[dict]:
    """Return the objects of a row; they are a list, or lists side by side."""
    if isinstance(cell, list):
        return [one or {} for one in cell]
    cell = cell or {}
    lists = {key: cell.get(key) or [] for key in cell}
    boxes = lists.get(table.boxes)
    count = len(boxes) if isinstance(boxes, list) else 0
    return [{key: found[i] for key, found in lists.items() if i < len(found)}
            for i in range(count)]


def _are_corners(images: Sequence[tuple[dict, list]]) -> bool:
    """Return whether boxes must be two corners, as they cannot be ``x, y, width, height``.

    The files do not say it. Both are in use; where both are possible, they are COCO's, as the
    ``datasets`` library documents.
    """
    outside = False
    for image, boxes in images:
        for box in boxes:
            numbers = four_numbers(box)
            if numbers is None:
                continue
            x, y, a, b = numbers
            if a <= x or b <= y:
                return False
            outside |= bool(image['width'] and (x + a > image['width'] + 1
                                                or y + b > image['height'] + 1))
    return outside


def _read(paths: Sequence[Path], split: str, source: Path, images: Path) -> tuple[dict, Report]:
    table = table_of(paths[0])
    assert table is not None
    columns = [table.image, table.objects, *(['width', 'height'] if table.sizes else [])]
    rows: list[tuple[str, dict, list[dict]]] = []
    for where, number, row in _rows(paths, columns):
        image = _image(row[table.image], split, number)
        width, height = row.get('width'), row.get('height')
        if not (width and height):
            size = (size_below(images, image.name) if image.content is None
                    else image_size(image.content))
            width, height = size or (None, None)
        rows.append((where, dict(id=number, file_name=image.name, width=width, height=height),
                     _objects(row[table.objects], table)))
    corners = _are_corners([(image, [one.get(table.boxes) for one in objects])
                            for _, image, objects in rows])
    found = {one.get(table.classes) for *_, objects in rows for one in objects}
    names: dict[Any, str] | None = (
        None if table.names is None else dict(enumerate(table.names)))
    if names is None and any(isinstance(value, int) for value in found):
        raise DataError(f"'{source}': the '{table.classes}' of '{table.objects}' are numbers, and "
                        "the file's metadata give them no names (ClassLabel): save it again with "
                        'the datasets library and its features, or with names in that column')
    if names is None:
        names = {value: value for value in sorted(v for v in found if isinstance(v, str))}
    classes = {value: i for i, value in enumerate(names, 1)}
    report = Report(str(source))

    def placed() -> Iterator[Placed]:
        for value, i in classes.items():
            yield 'categories', f'class {i}', dict(id=i, name=names[value])
        for where, image, objects in rows:
            yield 'images', where, image
            for one in objects:
                box = one.get(table.boxes)
                if corners and (numbers := four_numbers(box)):
                    x1, y1, x2, y2 = numbers
                    box = [x1, y1, x2 - x1, y2 - y1]
                    report.change('box of two corners, as it is no x, y, width, height', where)
                more = {} if one.get('area') is None else dict(area=one['area'])
                yield 'annotations', where, dict(
                    image_id=image['id'], bbox=box, **more,
                    category_id=classes.get(one.get(table.classes), 0),
                    iscrowd=one.get('iscrowd', one.get('is_crowd')))

    return content_of(placed(), source, report=report)


def unpack(paths: Sequence[Path], split: str, folder: Path) -> None:
    """Write the images to a folder; those that are there already are kept."""
    table = table_of(paths[0])
    assert table is not None
    for _, number, row in _rows(paths, [table.image]):
        image = _image(row[table.image], split, number)
        if image.content is not None and not (folder / image.name).exists():
            write_atomically(folder / image.name, image.content, durable=False)


def splits(folder: Path) -> Sequence[SplitFiles]:
    """Return a split for each group of files."""
    result = []
    for name, paths in _groups(folder).items():
        table = table_of(paths[0])
        if table is None:
            continue
        rows = _rows(paths, [table.image])
        first = next((_image(row[table.image], name, 0) for *_, row in rows), _Image('', None))
        inside = first.content is not None
        images = root_of(folder) if inside else image_folder(root_of(folder), [first.name], name)
        source = paths[0] if len(paths) == 1 else paths[0].parent
        result.append(SplitFiles(name, source, images,
                                 partial(_read, paths, name, source, images),
                                 unpack=partial(unpack, paths, name) if inside else None))
    return result


FORMAT = Format(
    'parquet', 'Parquet of the Hugging Face Hub', '{data/,}{train,validation,test}-*.parquet with '
    'columns image and objects (bbox, category)', sniff, splits)
