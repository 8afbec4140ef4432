"""Objects365, versions 1 and 2, as published: JSON of COCO's format, images in patch folders."""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from glip_mm.datasets.coco_file import collect, iterate_coco
from glip_mm.datasets.converters.coco import coco_records
from glip_mm.datasets.converters.objects365 import PLAIN, V1, corrected, release_of
from glip_mm.datasets.converters.text_file import ends
from glip_mm.datasets.report import Report

from .annotation_files import GUESSED, by_split, confidence, files_in, image_folder, root_of
from .base import Format, Sniffed, SplitFiles


def _names(path: Path) -> list[str]:
    """Return some file names of images; none if the file is of other data."""
    names = re.findall(r'"file_name"\s*:\s*"([^"]+)"', ends(path))
    names = [name.replace('\\/', '/') for name in names]
    return names if names and release_of(names[0]) is not PLAIN else []


def _files(folder: Path, most: int | None = None) -> dict[Path, list[str]]:
    files = {path: _names(path) for path in files_in(folder, '.json', '.json.gz', most=most)}
    return {path: names for path, names in files.items() if names}


def sniff(folder: Path) -> Sniffed | None:
    """Guess by the names of images."""
    files = _files(folder, GUESSED)
    for path, names in files.items():
        version = 1 if release_of(names[0]) is V1 else 2
        return Sniffed(confidence(list(files), folder), f"'{path.name}' lists images such as "
                       f"'{names[0]}' of version {version}")
    return None


def _read(path: Path, images: Path) -> tuple[dict, Report]:
    report = Report(str(path))
    rows = iterate_coco(path, report, progress=False)
    return collect(corrected(rows, report, images=images), report), report


def splits(folder: Path) -> Sequence[SplitFiles]:
    """Return a split for each file."""
    root, files, result = root_of(folder), _files(folder), []
    for name, path in by_split(list(files)).items():
        shortened = [one.removeprefix(prefix) for one in files[path]
                     for prefix in release_of(one).prefixes if one.startswith(prefix)]
        patches = sorted({one.partition('/')[0] for one in shortened})
        images = image_folder(root, [*files[path][:4], *shortened[:4], *patches], name)
        result.append(SplitFiles(
            name, path, images, partial(_read, path, images),
            records=partial(coco_records, path, images=images, progress=False)))
    return result


FORMAT = Format(
    'objects365', 'Objects365', '{annotations/,}{zhiyuan_objv2,objects365}_{train,val}.json, '
    'images in {train,val}/{patch0/...,}', sniff, splits)
