"""YOLO: a text file per image, of Ultralytics, Darknet, Roboflow and labelling tools.

Read here and not by a library: supervision 0.31 ends at the first line that it cannot read, wants
the folders of images, of labels and ``data.yaml`` named one by one, and brings some 430 MB of
packages; datumaro 1.13 refuses lines that have not five columns, and pins pandas 2, PyArrow 25 and
Pillow 12.

``data.yaml`` is the user's own configuration: images that it names outside its folder are read.
Lines of lists, which may come from another machine, are looked for in the folder only.
"""

import os
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from itertools import product
from pathlib import Path
from posixpath import basename, dirname
from typing import NamedTuple

from glip_mm.datasets.data_error import LEGACY, DataError, read_text
from glip_mm.datasets.report import WITH_ITS_ROW, Report
from glip_mm.image_suffixes import IMAGE_SUFFIXES, is_image

from .base import ALIASES, Format, Sniffed, SplitFiles, split_name
from .image_annotations import (
    Annotated,
    Found,
    Images,
    by_split,
    guess,
    head,
    in_order,
    peek,
    plain_path,
    split_files,
    walk,
)
from .yolo_config import (
    EMPTY,
    class_names,
    configs,
    fault,
    is_config,
    name_lines,
    read_config,
    the_config,
    whole,
)
from .yolo_labels import Labels, LineReader, is_label, label_folders

NO_LABELS = 'image without a label file, read as one without boxes'
NO_IMAGE = 'label file without an image'
UNREADABLE = 'image file that cannot be read'
LAYOUT = ('data.yaml (or another .yaml) with train, val, test and names; obj.data of Darknet; or '
          'images/ and labels/, undivided or with train/ and val/ above or below, with classes.txt '
          'or *.names; .txt files may also lie beside their images')
_NAMES = ('classes.txt', 'obj.names', '_darknet.labels', 'predefined_classes.txt')


class _Image(NamedTuple):
    """Image of a split; ``path`` is None if it is not there; ``listed`` in a file, not a folder."""

    where: str
    path: str | None
    exact: bool = True
    listed: bool = False


class _Folder:
    """Configuration, images and labels of a YOLO folder, listed once for all splits."""

    def __init__(self, path: Path) -> None:
        self.config = path if path.is_file() else the_config(path)
        # absolute, as list files and data.yaml may name other folders
        self.folder = Path(os.path.abspath(path.parent if path.is_file() else path))
        self.source = self.config or path
        self.images = Images(self.folder)
        self.content = read_config(self.config) if self.config else {}

    def _bases(self) -> list[Path]:
        """Return the folders that entries of ``data.yaml`` may start from."""
        path = self.content.get('path')
        own = [] if not isinstance(path, str) or path in EMPTY else [
            self.folder / path, Path.cwd() / path]
        return [Path(os.path.normpath(base)) for base in own if base.is_dir()] + [self.folder]

    def _place(self, entry: str, split: str | None = None) -> tuple[Path, Path] | None:
        """Find the file or folder that an entry means.

        What the entry says exactly comes first, also outside the folder; then its last parts in
        the folder, as the entry may come from another machine, or ``valid`` be called ``val``.

        Returns:
            Folder that it was found from, and its path.
        """
        entry = plain_path(entry)
        parts = [part for part in entry.split('/') if part not in ('', '.', '..')]
        tries = [(base, base / name) for base in self._bases()
                 # Roboflow writes ../train/images for train/images
                 for name in (*(['/'.join(parts)] if entry.startswith('../') else []), entry)]
        names = [part.rpartition('.')[0] or part for part in parts]
        shorter = [parts[i:] for i in range(len(parts))
                   if len(parts) - i > 1 or any(map(split_name, names[i:]))
                   or not split]
        tries += [(self.folder, self.folder.joinpath(*some)) for some in shorter]
        tries += [(self.folder, self.folder.joinpath(
            *(alias if split_name(part) == split else part for part in some)))
            for some in shorter if split for alias in ALIASES.get(split, ())]
        for base, path in tries:
            if path.is_dir() or os.path.isfile(path):
                path = Path(os.path.normpath(path))
                return (base if path.is_relative_to(base) else path.parent), path
        return None

    def _entry(self, entry: object, split: str) -> list[_Image]:
        """Return the images of an entry: a folder, or a list of files."""
        place = self._place(entry, split) if isinstance(entry, str) else None
        if place is None:
            raise fault(self.source, f"'{split}' names {str(entry)!r:.200}, which is not there "
                         f"(looked in {', '.join(map(repr, map(str, self._bases())))})")
        base, path = place
        if path.is_dir():
            return [_Image(f'{path}/{name}', f'{path}/{name}') for name in sorted(walk(path))
                    if is_image(name)]
        if path.suffix.lower() != '.txt':
            raise fault(self.source, f"'{split}' names '{path}', which is neither a folder nor a "
                         'list (.txt)')
        images = self.images if base == self.folder else Images(base)
        found = []
        for number, line in enumerate(read_text(path, LEGACY).splitlines(), 1):
            if not line.strip():
                continue
            image = images.find(line, path.relative_to(base).as_posix())
            found.append(_Image(f'{path} line {number}', image and f'{base}/{image.name}',
                                image is not None and image.exact, True))
        return found

    def splits(self) -> dict[str, list[_Image] | DataError]:
        """Return the images of each split; an error for one that is not there."""
        found: dict[str, list[_Image] | DataError] = {}
        for key, value in self.content.items():
            split = split_name(key)
            if split is None or not value or value in EMPTY:
                continue
            try:
                found[split] = [image for entry in (value if isinstance(value, list) else [value])
                                for image in self._entry(entry, split)]
            except DataError as error:
                if split != 'test':  # exports name one that was not made
                    found[split] = error
        if found:
            faults = [error for error in found.values() if isinstance(error, DataError)]
            if len(faults) == len(found):
                raise faults[0]
            return in_order(found)
        for path in sorted(self.folder.glob('*.txt')):
            split = split_name(path.stem)
            if split and os.path.isfile(path) and any(map(is_image, name_lines(path)[:1])):
                found.setdefault(split, self._entry(path.name, split))
        if found:
            return in_order(found)
        labels = Labels(self.folder)
        images = self.images.all()
        folders = {dirname(image) for image in images if labels.find(image)}
        return {split: [_Image(f'{self.folder}/{name}', f'{self.folder}/{name}') for name in names]
                for split, names in by_split(image for image in images
                                             if dirname(image) in folders).items()}

    @cached_property
    def keypoints(self) -> int:
        """Number of columns of keypoints."""
        shape = self.content.get('kpt_shape')
        if shape is None or shape in EMPTY:
            return 0
        sides = [whole(side) for side in shape] if isinstance(shape, list) else []
        if len(sides) != 2 or not sides[0] or not sides[1]:
            raise fault(self.source, f"'kpt_shape' is {str(shape):.50}, and not like [17, 3]")
        return sides[0] * sides[1]

    @cached_property
    def names(self) -> tuple[dict[int, str], Report]:
        """Class names by index, and what was changed in them."""
        report = Report(str(self.source))
        if self.config:
            names = self.content.get('names')
            if isinstance(names, str) and names not in EMPTY:
                place = self._place(names)
                inside = place is not None and place[1].is_relative_to(self.folder)
                names = name_lines(place[1]) if place and inside else names
            return class_names(names, self.content.get('nc'), self.source, report), report
        files = [self.folder / name for name in sorted(walk(self.folder, depth=3))
                 if basename(name).lower() in _NAMES or name.lower().endswith('.names')]
        if files:
            found = class_names(name_lines(files[0]), None, files[0], report)
            for other in files[1:]:
                if class_names(name_lines(other), None, other, Report('')) != found:
                    raise DataError(f"'{files[0]}' and '{other}' name different classes: keep one "
                                    'file for all, as an index must mean the same everywhere')
            return found, report
        labels = Labels(self.folder)
        used = {line.split()[0] for image in self.images.all()
                if (path_ := labels.find(image)) and os.path.isfile(path_)
                for line in read_text(path_, LEGACY).splitlines() if line.strip()}
        # an index of six digits is no class
        highest = max((int(i) for i in used if i.isdecimal() and len(i) < 6), default=-1)
        return class_names(None, str(highest + 1), self.folder, report), report

    def split(self, name: str, images: list[_Image] | DataError) -> SplitFiles:
        """Make a split."""
        if isinstance(images, DataError):
            def fail() -> tuple[dict, Report]:
                raise images
            return SplitFiles(name, self.source, self.folder, fail)
        root = self._root([image.path for image in images if image.path])
        return split_files(name, self.source, Images(root), partial(self._items, root, images),
                           lambda: list(dict.fromkeys(self.names[0].values())))

    def _root(self, paths: Sequence[str]) -> Path:
        """Return the folder that file names of a split start from."""
        folders = {Path(path).parent for path in paths}
        if not folders or all(path.is_relative_to(self.folder) for path in folders):
            return self.folder
        common = Path(os.path.commonpath(folders))
        # labels are beside the last folder of that name
        return next((path.parent for path in (common, *common.parents) if path.name == 'images'),
                    common)

    def _items(self, root: Path, images: Sequence[_Image], report: Report
               ) -> Iterator[Annotated]:
        names, changes = self.names
        report.add(changes)
        labels, sizes = Labels(root), Images(root)
        reader, some = LineReader(names, self.keypoints, report), False
        for image in images:
            if image.path is None:
                yield Annotated(image.where, None, ())
                continue
            name = Path(image.path).relative_to(root).as_posix()
            found, path = Found(name, image.exact), labels.find(name)
            lines = reader.split(path) if path else []
            some = some or path is not None
            if path is None:
                report.change(NO_LABELS, image.where)
            size = sizes.size(name)
            if size is None:
                report.rows_read += 1
                report.boxes_read += len(lines)
                report.drop(UNREADABLE, image.where)
                report.drop(WITH_ITS_ROW, image.where, len(lines))
                continue
            boxes = (reader.read(columns, *size, f'{path} line {number}')
                     for number, columns in lines)
            yield Annotated(image.where, found, [box for box in boxes if box], *size)
        for path in [] if any(image.listed for image in images) else labels.strays(sizes.all()):
            count = len(reader.split(path))
            report.rows_read += 1
            report.boxes_read += count
            report.drop(NO_IMAGE, str(path))
            report.drop(WITH_ITS_ROW, str(path), count)
        if not some:
            raise DataError(f"'{self.source}': none of {len(images)} images has a label file, such "
                            f"as '{root / label_folders('images')[0]}/NAME.txt' of "
                            f"'{root}/images/NAME.jpg': put them there")


def sniff(folder: Path) -> Sniffed | None:
    """Look for ``data.yaml`` or ``obj.data``, else for label files of images."""
    if folder.is_file():
        known = folder.suffix.lower() in ('.yaml', '.yml', '.data') and is_config(folder)
        return Sniffed(1., f"'{folder.name}' with splits and names") if known else None
    config = next(configs(folder), None)
    if config is not None:
        return Sniffed(1., f"'{config.name}' with splits and names")
    labels = prose = 0
    first = None
    for path in peek(folder, IMAGE_SUFFIXES, 60):
        sub = path.parent.relative_to(folder).as_posix()
        places = label_folders('' if sub == '.' else sub)
        for place, suffix in product(places, ('.txt', '.TXT')):
            label = folder / place / f'{path.stem}{suffix}'
            text = head(label, 4096)
            if text.strip():
                good = is_label(text.decode('latin-1'))
                labels, prose = labels + good, prose + (not good)
                first = first or (label if good else None)
                break
    if first is None or labels < 4 * prose:
        return None
    return guess(0.7, first, folder, 'has a class and a box in each line, and an image')


def splits(folder: Path) -> list[SplitFiles]:
    """Return the splits of a YOLO folder, or of its ``data.yaml``."""
    yolo = _Folder(folder)
    return [yolo.split(name, images) for name, images in yolo.splits().items()]


FORMAT = Format('yolo', 'YOLO (Ultralytics, Darknet, Roboflow)', LAYOUT, sniff, splits)
