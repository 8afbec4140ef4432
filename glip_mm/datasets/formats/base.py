"""What a format of annotated folders is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from glip_mm.datasets.converters.records import Records
from glip_mm.datasets.report import Report

#: Names of each split in folders and file names, lower case.
ALIASES = dict(train=('train', 'training', 'train2017', 'trainval'),
               val=('val', 'valid', 'validation', 'val2017', 'dev'),
               test=('test', 'testing', 'test2017'), minival=('minival', 'mini_val'))


class Sniffed(NamedTuple):
    """Guess that a folder is of a format.

    Attributes:
        confidence: From 0 to 1. 1: a file that only this format has; 0.5: files that could be of
            another one, too.
        reason: What was found, to be printed: ``"'data.yaml' with train, val and names"``.
    """

    confidence: float
    reason: str


@dataclass(frozen=True)
class SplitFiles:
    """A split of a folder.

    Attributes:
        name: ``'train'``, ``'val'``, ``'test'``, another name, or ``''`` for a folder that is not
            divided.
        source: File or folder of the annotations, for messages.
        images: Folder that file names start from.
        read: Function that reads the annotations: the content of a COCO-format file, and the
            report, as :func:`glip_mm.datasets.coco_file.content_of` makes them.
        is_coco: Whether ``source`` is itself a COCO-format file.
        holds: What the rows are: ``'boxes'`` of classes, ``'phrases'`` of captions with their
            boxes, or ``'captions'`` alone. Of the last two, ``read`` raises a
            :class:`~glip_mm.datasets.data_error.DataError` that says what they are good for.
        records: Function that streams ODVG records, for training and conversion. None: they are
            made from ``read``; see :func:`glip_mm.datasets.formats.records.records_of`.
        unpack: For images that lie inside other files: function that writes them to a folder,
            files that are there already excepted. ``images`` has them only then; see
            :func:`glip_mm.datasets.formats.records.unpacked`.
        keeps_group: Function from the categories to whether the first, which groups the others
            and has no boxes in this split, is a class: it has boxes in another split.
    """

    name: str
    source: Path
    images: Path
    read: Callable[[], tuple[dict, Report]]
    is_coco: bool = False
    holds: str = 'boxes'
    records: Callable[[], Records] | None = None
    unpack: Callable[[Path], None] | None = None
    keeps_group: Callable[[Sequence[dict]], bool] = lambda categories: False


@dataclass(frozen=True)
class Format:
    """A format of annotated folders.

    Attributes:
        name: Short name, such as ``'yolo'``.
        title: Title for people, such as ``'YOLO (Ultralytics)'``.
        layout: Files that are looked for, for the documents.
        sniff: Function from a folder, or a file given in its place, to a guess; None if it is of
            another format. It lists folders and reads the beginning of files, no more.
        splits: Function from a folder (or file) of this format to its splits.
    """

    name: str
    title: str
    layout: str
    sniff: Callable[[Path], Sniffed | None]
    splits: Callable[[Path], Sequence[SplitFiles]]


#: Name -> format, in the order in which equal guesses win.
FORMATS: dict[str, Format] = {}


def split_name(text: str) -> str | None:
    """Return the split that a folder or file is named after; None if after none.

    Example:
        >>> [split_name(t) for t in ('Valid', 'train2017', 'images')]
        ['val', 'train', None]
    """
    return next((split for split, names in ALIASES.items() if text.lower() in names), None)
