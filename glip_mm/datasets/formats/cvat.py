"""CVAT XML: "CVAT for images 1.1" and "CVAT for video 1.1".

Read here and not by a library: supervision 0.31 does not read it; datumaro 1.13 keeps boxes of
frames that an object has left (``outside``), passes over ellipses, cuboids and skeletons in
silence, ends at the first image that is missing, and pins pandas 2, PyArrow 25 and Pillow 12.

Any outline becomes the box around it. Coordinates are edges of pixels counted from 0. CVAT writes
a box for every frame of a track, so nothing is interpolated here. All labels of a project are
classes, also those without boxes.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property, partial
from pathlib import Path
from posixpath import basename, dirname, splitext
from xml.etree.ElementTree import Element

from glip_mm.datasets.coco_file import plain_number
from glip_mm.datasets.report import Report
from glip_mm.text.names import is_blank

from .base import Format, Sniffed, SplitFiles, split_name
from .image_annotations import (
    OUTLINE,
    ROTATED,
    Annotated,
    Box,
    Drawn,
    Images,
    guess,
    hull,
    in_order,
    names_in,
    peek,
    split_files,
    turned,
    walk,
)
from .xml_file import begins_with, read_xml

TAG = 'tag of a whole image, which is no box'
OUTSIDE = 'box of a track in a frame that the object is not in'
SHAPES = ('box', 'polygon', 'polyline', 'points', 'ellipse', 'mask', 'cuboid', 'skeleton')
LAYOUT = ('annotations.xml (or another .xml with <annotations>) and images/, also with a folder '
          'for each subset; frames of videos are images/frame_000000.png, ...')


def _values(element: Element, *keys: str) -> list[float]:
    """Return attributes as numbers; empty if one is none."""
    values = [plain_number(element.get(key)) for key in keys]
    numbers = [value for value in values if value is not None]
    return numbers if len(numbers) == len(keys) else []


def _points(text: str | None) -> list[tuple[float, float]]:
    """Return the points of ``'x,y;x,y'``; empty if one of them is not two numbers."""
    points = []
    for pair in (text or '').split(';'):
        x, _, y = pair.partition(',')
        numbers = plain_number(x), plain_number(y)
        if numbers[0] is None or numbers[1] is None:
            return []
        points.append((numbers[0], numbers[1]))
    return points


def _box(shape: Element) -> tuple[Box | None, str]:
    """Return the box around a shape, and how it came about."""
    rotation = plain_number(shape.get('rotation')) or 0.
    kind = shape.tag
    if kind == 'mask':
        return _values(shape, 'left', 'top', 'width', 'height') or None, OUTLINE
    if kind == 'skeleton':
        return hull(point for part in shape if part.get('outside') != '1'
                    for point in _points(part.get('points'))), OUTLINE
    if kind == 'cuboid':
        return hull(zip(*[iter(_values(shape, *(
            f'{axis}{corner}{side}' for corner in ('tl', 'bl', 'tr', 'br') for side in '12'
            for axis in 'xy')))] * 2)), OUTLINE
    if kind not in ('box', 'ellipse'):
        return hull(_points(shape.get('points'))), OUTLINE
    if kind == 'box':
        corners = _values(shape, 'xtl', 'ytl', 'xbr', 'ybr')
    else:
        corners = _values(shape, 'cx', 'cy', 'rx', 'ry')
        if corners:
            x, y, rx, ry = corners
            corners = [x - rx, y - ry, x + rx, y + ry]
    if not corners:
        return None, ''
    x1, y1, x2, y2 = corners
    how = ROTATED if rotation else OUTLINE if kind == 'ellipse' else ''
    return turned(x1, y1, x2 - x1, y2 - y1, rotation, ((x1 + x2) / 2, (y1 + y2) / 2)), how


def _drawn(shape: Element, label: str | None, where: str, report: Report) -> Drawn:
    box, how = _box(shape)
    if how and box:
        report.change(how, where)
    return Drawn(where, label, box)


class _Folder:
    """CVAT files of a folder, each parsed once for all splits."""

    def __init__(self, path: Path) -> None:
        self.folder = path.parent if path.is_file() else path
        self.source = path
        self.images = Images(self.folder)
        names = [path.name] if path.is_file() else sorted(
            name for name in walk(path, depth=3) if name.lower().endswith('.xml')
            and begins_with(path / name, 'annotations'))
        if len(names) == 1:
            self.source = self.folder / names[0]
        self.roots = {name: read_xml(self.folder / name) for name in names}

    @cached_property
    def classes(self) -> list[str]:
        names: dict[str, None] = {}
        for root in self.roots.values():
            # points of a skeleton are labels of a parent
            names.update(dict.fromkeys(
                (label.findtext('name') or '').strip() for label in root.iterfind('meta//label')
                if not (label.findtext('parent') or '').strip()))
            names.update(dict.fromkeys((shape.get('label') or '').strip()
                                       for kind in ('track', *SHAPES) for shape in root.iter(kind)
                                       if shape.get('frame') is None))
        return [name for name in names if not is_blank(name)]

    @cached_property
    def parts(self) -> list[tuple[str, str, str]]:
        """File, subset and split of all that is annotated."""
        parts: dict[tuple[str, str], str] = {}
        for name, root in self.roots.items():
            named = split_name(splitext(basename(name))[0]) or next(
                (split for part in dirname(name).split('/')[::-1] if (split := split_name(part))),
                '')
            for element in root:
                if element.tag in ('image', 'track'):
                    subset = (element.get('subset') or '').strip()
                    usual = '' if subset.lower() == 'default' else subset.lower()
                    parts[name, subset] = split_name(subset) or usual or named
        several = len(set(parts.values())) > 1
        return [(name, subset, split or ('other' if several else ''))
                for (name, subset), split in parts.items()]

    def items(self, split: str, report: Report) -> Iterator[Annotated]:
        for name, subset, own in self.parts:
            if own == split:
                yield from self._images(name, subset, report)
                yield from self._frames(name, subset, report)

    def _of(self, name: str, tag: str, subset: str) -> Iterable[Element]:
        return (element for element in self.roots[name].iterfind(tag)
                if (element.get('subset') or '').strip() == subset)

    def _images(self, name: str, subset: str, report: Report) -> Iterator[Annotated]:
        for image in self._of(name, 'image', subset):
            file = image.get('name') or ''
            where = f"{self.folder / name} image '{file}'"
            report.drop(TAG, where, len(image.findall('tag')))
            boxes = [_drawn(shape, (shape.get('label') or '').strip(), f'{where} shape {i}',
                            report)
                     for i, shape in enumerate(one for one in image if one.tag in SHAPES)]
            found = self.images.find(f'{subset}/{file}' if subset else file, name)
            yield Annotated(where, found, boxes, image.get('width'), image.get('height'))

    def _frames(self, name: str, subset: str, report: Report) -> Iterator[Annotated]:
        frames: dict[tuple[str, int], list[Drawn]] = {}
        for track in self._of(name, 'track', subset):
            task = track.get('task_id') or ''
            for shape in track:
                frame = plain_number(shape.get('frame'))
                if shape.tag not in SHAPES or frame is None:
                    continue
                where = f"{self.folder / name} track {track.get('id')} frame {int(frame)}"
                boxes = frames.setdefault((task, int(frame)), [])
                if shape.get('outside') == '1':
                    report.boxes_read += 1
                    report.drop(OUTSIDE, where)
                else:
                    boxes.append(_drawn(shape, (track.get('label') or '').strip(), where, report))
        if not frames:
            return
        size = self.roots[name].find('.//original_size')
        width, height = (None, None) if size is None else (
            size.findtext('width'), size.findtext('height'))
        for (_, number), boxes in sorted(frames.items()):
            file = f'frame_{number:06d}.png'
            yield Annotated(f'{self.folder / name} frame {number}',
                            self.images.find(f'{subset}/{file}' if subset else file, name), boxes,
                            width, height)
        if len({task for task, _ in frames}) == 1 and not subset:
            yield from self._empty_frames(name, {number for _, number in frames})

    def _empty_frames(self, name: str, annotated: set[int]) -> Iterator[Annotated]:
        """Return the frames that no track is in: images without boxes."""
        near = dirname(name)
        for path in self.images.all():
            stem = splitext(basename(path))[0]
            number = stem.removeprefix('frame_')
            if (stem != number and number.isdecimal() and int(number) not in annotated
                    and path.startswith(f'{near}/' if near else '')):
                yield Annotated(str(self.folder / path), self.images.find(path, ''), ())


def sniff(folder: Path) -> Sniffed | None:
    """Look for XML of ``<annotations>``."""
    paths = [folder] if folder.is_file() else [
        *(folder / name for name in names_in(folder, ('.xml',), 20)), *peek(folder, ('.xml',))]
    for path in paths:
        text = begins_with(path, 'annotations') if path.suffix.lower() == '.xml' else b''
        if any(tag in text for tag in (b'<meta>', b'<image ', b'<track ')):
            return guess(1., path, path.parent if folder.is_file() else folder,
                         'with <annotations>')
    return None


def splits(folder: Path) -> list[SplitFiles]:
    """Return the splits of a CVAT folder, or of its file."""
    cvat = _Folder(folder)
    names = dict.fromkeys(split for _, _, split in cvat.parts) or {'': None}
    return [split_files(name, cvat.source, cvat.images, partial(cvat.items, name),
                        lambda: cvat.classes)
            for name in in_order(names)]


FORMAT = Format('cvat', 'CVAT XML (images and video)', LAYOUT, sniff, splits)
