"""The published TSV bundles to ODVG records: detection (Objects365 ...) and captions with boxes."""

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path

from glip_mm.atomic_files import remove_temporary, write_atomically
from glip_mm.datasets.boxes import LARGEST, MALFORMED, fit_box, four_numbers
from glip_mm.datasets.data_paths import below
from glip_mm.datasets.report import Report
from glip_mm.image_decoding import open_image
from glip_mm.text.safe_json import load_json

from .phrases import NO_SPAN, Regions, good_spans, pairs_of
from .records import Records
from .tsv_files import RowFile, TSVBundle, read_row_numbers

NO_SIZE = 'row without the size of its image'
BAD_ROW = 'row that is not a key and JSON'
NO_BOX = 'caption without a usable box'
UNKNOWN_CLASS = 'box of a class that is not in the label map'
BAD_IMAGE = 'image that is missing or broken'
BAD_NAME = 'key that is no name of an image file'


def parse_size(cell: str) -> tuple[int, int] | None:
    """Parse height and width from the second cell of an ``hw`` row, in any of its three forms."""
    try:
        content = load_json(cell)
    except ValueError:
        content = cell.split()
    if isinstance(content, list) and len(content) == 1:
        content = content[0]
    try:
        if isinstance(content, dict):
            height, width = int(content['height']), int(content['width'])
        else:
            height, width = (int(side) for side in content)
    except (KeyError, OverflowError, TypeError, ValueError):
        return None
    return (height, width) if 1 <= height < LARGEST and 1 <= width < LARGEST else None


def detection_of(objects: list, height: int, width: int, bundle: TSVBundle, extra: int,
                 report: Report, where: str) -> dict:
    """Convert the objects of a label row to the ``detection`` part of a record.

    Args:
        objects: List of ``{"rect": [x1, y1, x2, y2], "class": name}``, with ``conf`` if scored.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        bundle: Bundle with the labels.
        extra: 1 if a rect includes its last pixel, 0 if it is half open.
        report: Report to fill.
        where: Place of the row, for the report.

    Returns:
        ``{"instances": [...]}``.
    """
    instances = []
    for i, item in enumerate(objects):
        place = f'{where} object {i}'
        report.boxes_read += 1
        name = item.get('class') if isinstance(item, dict) else None
        label = (bundle.labels or {}).get(name) if isinstance(name, str) else None
        if label is None:
            report.drop(UNKNOWN_CLASS, f'{place} ({name!r})')
            continue
        rect = four_numbers(item.get('rect'))
        if rect is None:
            report.drop(MALFORMED, place)
            continue
        bbox = fit_box(rect[0], rect[1], rect[2] + extra, rect[3] + extra, width, height, report,
                       place)
        if bbox is None:
            continue
        instance = dict(bbox=bbox, label=label, category=name)
        score = _score(item.get('conf'), report, place)
        if score is not None:
            instance['score'] = score
        instances.append(instance)
    report.boxes_written += len(instances)
    return dict(instances=instances)


def _score(value: object, report: Report, where: str) -> float | None:
    """Return a score; count what is none."""
    if value is None or type(value) in (int, float):
        return value  # type: ignore[return-value]
    report.change('score that is no number, taken off', where)
    return None


def _each_box(content: dict) -> Iterator[tuple[object, object, object]]:
    """Iterate over box, score and spans; version 2 of the format lists boxes by phrase."""
    boxes, spans = content.get('bboxes') or [], content.get('tokens_positive') or []
    scores = content.get('scores') or [None] * len(boxes)
    for i, box in enumerate(boxes):
        span = spans[i] if i < len(spans) else []
        score = scores[i] if i < len(scores) else None
        if isinstance(box, list) and (not box or isinstance(box[0], list)):
            several = score if isinstance(score, list) else [None] * len(box)
            yield from ((one, several[k] if k < len(several) else None, span)
                        for k, one in enumerate(box))
        else:
            yield box, score, span


def grounding_of(content: dict, height: int, width: int, extra: int, report: Report, where: str
                 ) -> dict | None:
    """Convert the JSON of a caption row to the ``grounding`` part of a record; None without boxes.

    Args:
        content: ``caption``, ``bboxes``, ``tokens_positive`` and ``scores``, in either version.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        extra: 1 if a box includes its last pixel, 0 if it is half open.
        report: Report to fill.
        where: Place of the row, for the report.
    """
    caption = content['caption']
    regions, kept = Regions(caption), 0
    for i, (box, score, spans) in enumerate(_each_box(content)):
        place = f'{where} box {i}'
        report.boxes_read += 1
        corners = four_numbers(box)
        if corners is None:
            report.drop(MALFORMED, place)
            continue
        pairs = good_spans(caption, pairs_of(spans, report, place), report, place)
        if not pairs:
            report.drop(NO_SPAN, place)
            continue
        x1, y1, x2, y2 = corners
        bbox = fit_box(x1, y1, x2 + extra, y2 + extra, width, height, report, place)
        if bbox is not None:
            regions.add(bbox, pairs, _score(score, report, place))
            kept += 1
    report.boxes_written += kept
    return dict(caption=caption, regions=regions.regions()) if kept else None


class ImageRows:
    """Images in a bundle.

    Raises:
        FileNotFoundError: If the bundle names no image file, or the file is missing.
    """

    def __init__(self, bundle: TSVBundle) -> None:
        if not bundle.has_images:
            raise FileNotFoundError(f"'{bundle.yaml_file}' names no image file that is there: "
                                    "images cannot be read out of it")
        self.rows = RowFile(bundle.paths['img'])
        self.by_id = None
        if 'imageid2idx' in bundle.paths:
            self.by_id = read_row_numbers(bundle.paths['imageid2idx'])

    def find(self, row: int, key: str, content: object) -> tuple[int, int] | None:
        """Find offset and length in bytes of a row's encoded image; None if it has none."""
        if self.by_id is not None and isinstance(content, dict):
            row = self.by_id.get(str(content.get('img_id')), -1)
        if not 0 <= row < len(self.rows):
            return None
        found, offset, length = self.rows.last_cell(row)
        return None if self.by_id is None and found != key else (offset, length)

    def size(self, place: tuple[int, int]) -> tuple[int, int] | None:
        """Read height and width of an image from its first 64 KiB, or from all of it if needed."""
        for length in (min(place[1], 65536), place[1]):
            try:
                with open_image(decode_cell(self.rows.read(place[0], length))) as image:
                    return image.height, image.width
            except (ValueError, OSError, SyntaxError):
                continue
        return None


def decode_cell(cell: bytes) -> bytes:
    """Decode the base64 cell of a bundle to an encoded image.

    Raises:
        ValueError: If it is not base64.
    """
    return base64.b64decode(cell.strip(), validate=True)


class ImageWriter:
    """Writes the images of a bundle as files; existing files are kept."""

    def __init__(self, images: ImageRows, folder: str | Path) -> None:
        self.images, self.folder = images, Path(folder)
        remove_temporary(self.folder, '.+')

    def __call__(self, row: int, key: str, content: object, name: str) -> tuple[int, int] | None:
        """Write the image of a row; return height and width, None if it is missing or broken."""
        path = Path(below(self.folder, name))
        if not path.exists():
            place = self.images.find(row, key, content)
            if place is None:
                return None
            try:
                data = decode_cell(self.images.rows.read(*place))
                with open_image(data) as image:
                    image.verify()
            except (ValueError, OSError, SyntaxError):
                return None
            write_atomically(path, data, durable=False)
        try:
            with open_image(path) as image:
                return image.height, image.width
        except (OSError, ValueError):
            return None


def _records(bundle: TSVBundle, lines: Sequence[int], labels: RowFile, sizes: RowFile | None,
             writer: ImageWriter | None, images: ImageRows | None, pattern: str, extra: int,
             report: Report) -> Iterator[dict]:
    for row in lines:
        report.rows_read += 1
        where = f'{labels.path.name} line {row + 1}'
        try:
            cells = labels.row(int(row))
            key, content = cells[0], load_json(cells[1])
        except (IndexError, ValueError):
            report.drop(BAD_ROW, where)
            continue
        name = pattern.format(key=key)
        try:
            below('.', name)
        except ValueError:
            report.drop(BAD_NAME, where)
            continue
        size = None
        if sizes is not None and row < len(sizes):
            try:
                cells = sizes.row(int(row))
            except ValueError:  # not UTF-8
                cells = []
            size = parse_size(cells[1]) if len(cells) > 1 and cells[0] == key else None
        elif isinstance(content, dict) and 'img_h' in content:
            size = parse_size(f"{content['img_h']} {content.get('img_w')}")
        if writer is not None:
            found = writer(int(row), key, content, name)
            if found is None:
                report.drop(BAD_IMAGE, where)
                continue
            size = size or found
        place = None
        if images is not None:
            place = images.find(int(row), key, content)
            size = size or (place and images.size(place))
            if place is None or size is None:
                report.drop(BAD_IMAGE, where)
                continue
        if size is None:
            report.drop(NO_SIZE, where)
            continue
        head = dict(filename=name, height=size[0], width=size[1])
        if place is not None:
            head['image_bytes'] = list(place)
        objects = content.get('objects') if isinstance(content, dict) else content
        if isinstance(content, dict) and isinstance(content.get('caption'), str):
            grounding = grounding_of(content, *size, extra, report, where)
            if grounding is None:
                report.drop(NO_BOX, where)
                continue
            record = dict(head, grounding=grounding)
        elif isinstance(objects, list) and bundle.labels is not None:
            record = dict(head, detection=detection_of(objects, *size, bundle, extra, report,
                                                       where))
        else:
            report.drop(BAD_ROW, where)
            continue
        report.rows_written += 1
        yield record


def tsv_records(yaml_file: str | Path, pattern: str = '{key}.jpg', write_images: str | None = None,
                use_line_list: bool = True, half_open: bool = False, in_place: bool = False
                ) -> Records:
    """Read a TSV bundle.

    The published code takes a rect as two corner *pixels*, both inclusive; therefore ``x2`` and
    ``y2`` grow by one here, and training sees the same boxes as published.

    Args:
        yaml_file: Path of the bundle's YAML file.
        pattern: Pattern of image file names; ``{key}`` is the key of the row.
        write_images: Folder to extract the bundle's images to; existing files are kept. By default
            records refer to images that are files already.
        use_line_list: Follow the bundle's line list, which repeats rows of rare classes.
        half_open: Whether rects are half open already.
        in_place: Let records refer to the image inside the bundle: ``image_bytes``,
            offset and length of its base64 cell.

    Returns:
        Detection records, or grounding records where the rows have captions.

    Raises:
        ValueError: If the YAML file or the label map is not of this format.
        FileNotFoundError: If a file is missing.
    """
    if '{key}' not in pattern:
        raise ValueError(f"pattern is {pattern!r}, but must contain '{{key}}'")
    bundle = TSVBundle(yaml_file)
    labels = RowFile(bundle.paths['label'])
    sizes = RowFile(bundle.paths['hw']) if 'hw' in bundle.paths else None
    images = ImageRows(bundle) if write_images or in_place else None
    writer = (ImageWriter(images, write_images)
              if images is not None and write_images else None)
    listed = bundle.line_list() if use_line_list else None
    lines: Sequence[int] = range(len(labels)) if listed is None else listed.tolist()
    report = Report(str(bundle.paths['label']))
    return Records(_records(bundle, lines, labels, sizes, writer, images if in_place else None,
                            pattern, int(not half_open), report),
                   bundle.label_map, len(lines), report)


def bundle_records(yaml_file: str | Path) -> Records:
    """Read a TSV bundle as :func:`tsv_records` does, in place if the bundle holds its images."""
    return tsv_records(yaml_file, in_place=TSVBundle(yaml_file).has_images)
