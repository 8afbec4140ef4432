"""Rows of labels from any source: the folder of a run, JSON lines, tar shards."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from mmengine.logging import print_log
from tqdm import tqdm

from glip_mm.datasets.bad_sample import BadSample
from glip_mm.datasets.data_error import DataError
from glip_mm.datasets.data_paths import below
from glip_mm.datasets.label_map import read_label_map
from glip_mm.datasets.odvg_rules import check_row
from glip_mm.datasets.storage import MappedTable, Source
from glip_mm.datasets.storage.tar_members import first_link

#: Names of the classes, in the folder of a run that looked for class names.
LABEL_MAP = 'label_map.json'


class LabelRow(NamedTuple):
    """A labelled image."""

    #: ODVG record without faulty boxes.
    record: dict
    #: ``file:line``, or file and byte within a shard.
    where: str
    #: Index of the source file.
    file: int
    #: Function that reads the encoded image from a tar shard.
    packed: Callable[[], bytes] | None = None
    #: Cause of each box that was dropped.
    dropped: tuple[str, ...] = ()

    def read_image(self, images: Path | None) -> bytes:
        """Read the encoded image.

        Args:
            images: Root folder of file names; not needed for shards.

        Raises:
            ValueError: If there is no such file; the message names the row and the file.
        """
        if self.packed is not None:
            return self.packed()
        return self.image_path(images).read_bytes()

    def image_path(self, images: Path | None) -> Path:
        """Return the path of the image, see :meth:`read_image`."""
        if images is None:
            raise ValueError(f"{self.where}: '{self.record['filename']}' is a file by itself: say "
                             'with --images where the names start from')
        try:
            path = Path(below(images, self.record['filename']))
        except ValueError as error:
            raise ValueError(f'{self.where}: {error}') from None
        if not path.is_file():
            raise ValueError(f"{self.where}: the image '{path}' is missing; --images is the "
                             'folder that file names start from')
        return path


class LabelRows:
    """Random access to labels.

    An index of the rows is written beside the labels, which training uses, too.

    Args:
        path: Folder of a run (with ``labels/`` in it), a folder of ``.jsonl`` or ``.tar`` files, or
            one such file.
        label_map: Label -> name of detection rows. Default: ``label_map.json`` in the folder;
            without it ``category`` of the boxes is used.

    Raises:
        FileNotFoundError: If there are no labels.
        ValueError: If the files have no rows.
    """

    def __init__(self, path: str | Path, label_map: Mapping[int, str] | None = None) -> None:
        self.path, self.label_map = Path(path), label_map
        pattern, kind = _pattern(self.path)
        beside = (self.path if self.path.is_dir() else self.path.parent) / LABEL_MAP
        if label_map is None and beside.is_file():
            self.label_map = read_label_map(beside)
        self.source = Source(str(pattern), kind)
        try:
            self.table: MappedTable = self.source.open_table()
        except PermissionError:  # labels of somebody else
            self._index = TemporaryDirectory()
            self.table = self.source.open_table(self._index.name)
        if not len(self.table):
            why = first_link(self.files) if self.is_tar else ''
            raise ValueError(f"'{pattern}' holds no row: " + (
                why or 'nothing was labelled; look at rejects.jsonl for the causes'))

    @property
    def files(self) -> Sequence[Path]:
        """Return the files, in order."""
        return self.source.files

    @property
    def is_tar(self) -> bool:
        """Return whether images lie beside their labels in shards."""
        return self.source.format == 'tar'

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: int) -> LabelRow:
        """Read a row by the rules of training, see :func:`glip_mm.datasets.odvg_rules.clean`.

        Raises:
            BadSample: If nothing of it can be used; the message names place, fault and remedy.
        """
        row = self.table.row(index)
        where = self.source.where(row)
        check = check_row(self.source.record(row), self.label_map)
        if check.record is None:
            fault = check.fatal_problem
            raise BadSample(fault.cause if fault else 'wrong type', where, str(fault))
        packed = self.source.image(row)
        return LabelRow(check.record, where, row['file'], packed and packed[1],
                        tuple(fault.cause for fault in check.dropped))

    def walk(self, description: str, progress: bool = True, counts: Counter | None = None
             ) -> Iterator[LabelRow]:
        """Iterate over all usable rows in order, with a progress bar.

        Args:
            description: Title of the progress bar.
            progress: Whether to show it.
            counts: Counter of what is left out, by cause; each cause is logged with the place of
                its first occurrence.

        Raises:
            DataError: If no row is usable.
        """
        last: BadSample | None = None
        usable = False
        for index in tqdm(range(len(self)), desc=description, unit='row', mininterval=0.5,
                          disable=not progress):
            try:
                row = self[index]
            except BadSample as error:
                last = error
                if counts is not None:
                    _count(counts, f'rows ({error.cause})', str(error))
                continue
            usable = True
            for cause in row.dropped if counts is not None else ():
                _count(counts, f'boxes ({cause})', row.where)  # type: ignore[arg-type]
            yield row
        if not usable:
            raise DataError(f"none of the {len(self)} rows of '{self.path}' can be used; the last: "
                            f'{last}')


def _count(counts: Counter, cause: str, place: str) -> None:
    if not counts[cause]:
        print_log(f'left out: {cause}, first at {place}', logger='current',
                  level=logging.WARNING)
    counts[cause] += 1


def _pattern(path: Path) -> tuple[Path, str]:
    """Return the pattern of the files and their format."""
    if path.is_file() and path.suffix in ('.jsonl', '.tar'):
        return path, 'tar' if path.suffix == '.tar' else 'odvg'
    if path.is_dir():
        folder = path / 'labels' if (path / 'labels').is_dir() else path
        for suffix, kind in (('.jsonl', 'odvg'), ('.tar', 'tar')):
            if any(folder.glob(f'*{suffix}')):
                return folder / f'*{suffix}', kind
        raise FileNotFoundError(f"'{folder}' holds no .jsonl and no .tar file: give the --out "
                                'folder of tools/pseudo_label.py, or a file of ODVG rows')
    if path.exists():
        raise FileNotFoundError(f"'{path}' is neither a folder nor a .jsonl or .tar file")
    raise FileNotFoundError(f"'{path}' is missing: give the --out folder of tools/pseudo_label.py, "
                            'or a file of ODVG rows')


def phrase_text(phrase: str | Sequence[str]) -> str:
    """Return the words of a region's phrase, which ODVG may write as a list of pieces."""
    return ' '.join((phrase if isinstance(phrase, str) else ' '.join(phrase)).split())


def instance_name(instance: Mapping, label_map: Mapping[int, str] | None) -> str | None:
    """Return the name of a detection instance; None if neither the map nor the row has it."""
    return (label_map or {}).get(instance['label']) or instance.get('category')


def region_boxes(region: Mapping) -> tuple[list[list[float]], list[float | None]]:
    """Return boxes and scores of a region; ODVG may write a single box without a list.

    Example:
        >>> region_boxes(dict(bbox=[0, 0, 8, 8], score=0.5))
        ([[0, 0, 8, 8]], [0.5])
    """
    boxes, scores = region['bbox'], region.get('score')
    if boxes and not isinstance(boxes[0], list):
        boxes, scores = [boxes], scores if isinstance(scores, list) else [scores]
    return boxes, [None] * len(boxes) if scores is None else scores
