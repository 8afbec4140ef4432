"""TSV bundles of the official release: a YAML file that lists files of rows, often with images."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import yaml

from glip_mm.datasets.converters.tsv import bundle_records, tsv_records
from glip_mm.datasets.converters.tsv_files import RowFile, TSVBundle
from glip_mm.datasets.report import Report

from .base import Format, Sniffed, SplitFiles
from .looking import by_split, files_in, image_folder, root_of
from .records import NO_CLASSES, content_of_records, refusing


def _is_bundle(path: Path) -> bool:
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8-sig'))
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


def _read(path: Path) -> tuple[dict, Report]:
    return content_of_records(bundle_records(path), path)


def _unpack(path: Path, folder: Path) -> None:
    for _ in tsv_records(path, write_images=str(folder), use_line_list=False):
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
        detection = bundle.labels is not None
        result.append(SplitFiles(
            name, path, image_folder(root_of(folder), [f'{key}.jpg' for key in keys], name),
            partial(_read, path) if detection else refusing(f"'{path}' {NO_CLASSES}"),
            holds='boxes' if detection else 'phrases', records=partial(bundle_records, path),
            unpack=partial(_unpack, path) if bundle.has_images else None))
    return result


FORMAT = Format(
    'tsv', 'TSV bundle of the official release', '*.yaml that names label, img, hw, labelmap and '
    'linelist, and these .tsv files', sniff, splits)
