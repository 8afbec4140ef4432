"""LVIS JSON: COCO's format, with image folders of COCO and lists of absent classes."""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from glip_mm.datasets.coco_file import collect, iterate_coco
from glip_mm.datasets.converters.lvis import LISTS, file_name_of, lvis_records
from glip_mm.datasets.converters.text_file import ends
from glip_mm.datasets.report import Report

from .annotation_files import GUESSED, by_split, confidence, files_in, image_folder, root_of
from .base import Format, Sniffed, SplitFiles


def _is_lvis(path: Path) -> bool:
    text = ends(path)
    return '"images"' in text and (
        any(f'"{key}"' in text for key in LISTS.values())
        or bool(re.search(r'"frequency"\s*:\s*"[rcf]"', text)) or (
            path.name.startswith('lvis_v') and '"annotations"' in text))


def _files(folder: Path, most: int | None = None) -> list[Path]:
    return [path for path in files_in(folder, '.json', '.json.gz', most=most) if _is_lvis(path)]


def sniff(folder: Path) -> Sniffed | None:
    """Guess by the frequencies of classes, and by the lists of images."""
    found = _files(folder, GUESSED)
    return Sniffed(confidence(found, folder), f"'{found[0].name}' with frequencies of classes or "
                   'lists of absent ones') if found else None


def _read(path: Path) -> tuple[dict, Report]:
    report = Report(str(path))
    rows = iterate_coco(path, report, file_name=file_name_of, progress=False)
    return collect(rows, report), report


def splits(folder: Path) -> Sequence[SplitFiles]:
    """Return a split for each file; images are those of COCO, ``train2017`` and ``val2017``."""
    root = root_of(folder)
    return [SplitFiles(name, path, image_folder(root, ('val2017', 'train2017')),
                       partial(_read, path), records=partial(lvis_records, path, progress=False))
            for name, path in by_split(_files(folder)).items()]


FORMAT = Format(
    'lvis', 'LVIS', "{annotations/,}lvis_v1_{train,val}.json beside COCO's {images/,}{train2017,"
    'val2017}/', sniff, splits)
