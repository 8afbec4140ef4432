"""TSV bundles of the official release: a YAML file that lists files of rows, often with images."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import yaml

from glip_mm.datasets.converters.records import Records
from glip_mm.datasets.converters.tsv import tsv_records
from glip_mm.datasets.converters.tsv_files import RowFile, TSVBundle
from glip_mm.datasets.data_error import read_text
from glip_mm.datasets.report import Report
from glip_mm.text.safe_yaml import load_yaml

from .annotation_files import by_split, files_in, image_folder, root_of
from .base import Format, Sniffed, SplitFiles
from .records import NO_CLASSES, content_of_records, refusing


def _is_bundle(path: Path) -> bool:
    try:
        content = load_yaml(read_text(path))
    except (OSError, ValueError, yaml.YAMLError):
        return False
    return (isinstance(content, dict) and isinstance(content.get('label'), str)
            and any(isinstance(content.get(key), str) for key in ('img', 'hw', 'labelmap')))


def _files(folder: Path) -> list[Path]:
    return [path for path in files_in(folder, '.yaml', '.yml') if _is_bundle(path)]


def sniff(folder: Path) -> Sniffed | None:
    """Guess by a YAML file that names a file of labels and others."""
    found = _files(folder)
    return Sniffed(1, f"'{found[0].name}' names a label file of a TSV bundle") if found else None


def _records(path: Path, images: bool) -> Records:
    """Read a bundle; images in it get a folder of their own, as keys may be mere numbers."""
    return tsv_records(path, f'{path.stem}/{{key}}.jpg' if images else '{key}.jpg',
                       in_place=images)


def _read(path: Path, images: bool) -> tuple[dict, Report]:
    return content_of_records(_records(path, images), path)


def _unpack(path: Path, folder: Path) -> None:
    for _ in tsv_records(path, f'{path.stem}/{{key}}.jpg', str(folder), use_line_list=False):
        pass


def splits(folder: Path) -> Sequence[SplitFiles]:
    """Return a split for each bundle.

    Raises:
        FileNotFoundError: If a file that a bundle lists is missing.
    """
    result = []
    for name, path in by_split(_files(folder)).items():
        bundle = TSVBundle(path)
        rows = RowFile(bundle.paths['label'])
        keys = [rows.row(i)[0] for i in range(min(3, len(rows)))]
        rows.close()
        detection, inside = bundle.labels is not None, bundle.has_images
        result.append(SplitFiles(
            name, path, image_folder(root_of(folder), [f'{key}.jpg' for key in keys], name),
            partial(_read, path, inside) if detection else refusing(f"'{path}' {NO_CLASSES}"),
            holds='boxes' if detection else 'phrases', records=partial(_records, path, inside),
            unpack=partial(_unpack, path) if inside else None))
    return result


FORMAT = Format(
    'tsv', 'TSV bundle of the official release', '*.yaml that names label, img, hw, labelmap and '
    'linelist, and these .tsv files', sniff, splits)
