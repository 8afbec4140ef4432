"""ODVG JSON lines, of detection with a label map beside it, or of grounding."""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from glip_mm.datasets.converters.records import Records
from glip_mm.datasets.converters.text_file import ends, lines_of
from glip_mm.datasets.data_error import DataError
from glip_mm.datasets.label_map import read_label_map
from glip_mm.datasets.odvg_rules import MIXED_UP, check_row
from glip_mm.datasets.report import WITH_ITS_ROW, Report
from glip_mm.text.safe_json import load_json

from .annotation_files import GUESSED, by_split, files_in, image_folder, root_of
from .base import Format, Sniffed, SplitFiles
from .records import NO_CLASSES, content_of_records, refusing

ENDINGS = ('.jsonl', '.json', '.odvg', '.jsonl.gz', '.json.gz')
#: Ending of conversions that data sets store beside their source; they are no data of their own.
STORED = '.odvg.jsonl'
#: Kind of rows -> what ``SplitFiles.holds`` says of them.
HOLDS = {'detection': 'boxes', 'grounding': 'phrases'}


def _first_line(path: Path) -> str:
    return ends(path).lstrip().partition('\n')[0]


def _kind(line: str) -> str:
    """Return the kind of the rows by the first one; empty if they are no ODVG."""
    found = re.search(r'"(detection|grounding)"\s*:\s*\{', line)
    return found[1] if found and line.startswith('{') and '"filename"' in line else ''


def _files(folder: Path, most: int | None = None) -> dict[Path, str]:
    """Return the files and their first lines."""
    lines = {path: _first_line(path) for path in files_in(folder, *ENDINGS, most=most)
             if not path.name.endswith(STORED)}
    return {path: line for path, line in lines.items() if _kind(line)}


def sniff(folder: Path) -> Sniffed | None:
    """Guess by the first line of files."""
    for path, line in _files(folder, GUESSED).items():
        # converted files lie beside what they were made from
        return Sniffed(.8, f"'{path.name}' has a record of {_kind(line)} on each line")
    return None


def label_map_beside(path: Path) -> Path | None:
    """Find the label map of a file: of the same name, the only one, or named as it begins."""
    stem = path.name.partition('.')[0]
    for name in (f'{stem}_label_map.json', f'{stem}.label_map.json',
                 f'{re.sub("_(od|odvg)$", "", stem)}_label_map.json'):
        if (path.parent / name).is_file():
            return path.parent / name
    found = sorted(path.parent.glob('*label_map*.json'))
    named = [one for one in found if stem.startswith(re.split('[_.]?label_map', one.name)[0])]
    return found[0] if len(found) == 1 else named[-1] if named else None


def odvg_records(path: Path, kind: str = '', label_map_file: Path | None = None,
                 clean: bool = True) -> Records:
    """Read ODVG lines.

    Args:
        path: The file, plain or compressed by gzip.
        kind: ``'detection'`` or ``'grounding'``; rows of the other kind are left out. Default:
            that of the first line.
        label_map_file: Label map of detection data; default: the one beside the file, if any.
        clean: Whether boxes that cannot be used are left out, and counted.

    Returns:
        Records that have an image, its size and a list of boxes. A :class:`DataError` is raised if
        labels and names of classes contradict each other.
    """
    kind = kind or _kind(_first_line(path))
    label_map = None
    if kind == 'detection':
        label_map_file = label_map_file or label_map_beside(path)
        label_map = None if label_map_file is None else read_label_map(label_map_file)
    report = Report(str(path))

    def records() -> Iterator[dict]:
        for number, line in enumerate(lines_of(path), 1):
            if not line.strip():
                continue
            report.rows_read += 1
            where = f'line {number}'
            try:
                record = load_json(line)
            except ValueError:
                report.drop('line that is not JSON', where)
                continue
            check = check_row(record, label_map)
            mixed = next((p for p in check.problems if p.cause == MIXED_UP), None)
            if mixed is not None:
                raise DataError(f"'{path}' {where}: {mixed}")
            report.boxes_read += check.boxes
            usable = check.record
            cause = (f'row of {check.problems[-1].field}: {check.problems[-1].cause}'
                     if usable is None else '' if kind in record else
                     f'row without {kind} in a file of {kind}')
            if cause or usable is None:
                report.drop(cause, where)
                report.drop(WITH_ITS_ROW, where, check.boxes)
                continue
            for fault in check.dropped if clean else ():
                report.drop(f'box: {fault.cause}', f'{where}, {fault.field}')
            report.rows_written += 1
            report.boxes_written += check.boxes - len(check.dropped) * clean
            yield usable if clean else record

    return Records(records(), label_map, None, report)


def _read(path: Path) -> tuple[dict, Report]:
    return content_of_records(odvg_records(path, 'detection', clean=False), path)


def splits(folder: Path) -> Sequence[SplitFiles]:
    """Return a split for each file."""
    root, files, result = root_of(folder), _files(folder), []
    for name, path in by_split(list(files)).items():
        line = files[path]
        images = image_folder(root, re.findall(r'"filename"\s*:\s*"([^"]+)"', line), name)
        detection = _kind(line) == 'detection'
        result.append(SplitFiles(
            name, path, images,
            partial(_read, path) if detection else refusing(f"'{path}' {NO_CLASSES}"),
            holds=HOLDS[_kind(line)], records=partial(odvg_records, path, _kind(line))))
    return result


FORMAT = Format(
    'odvg', 'ODVG JSON lines', '{annotations/,}*{train,val,test}*.{jsonl,json}, a record on each '
    'line; for detection *label_map*.json beside it', sniff, splits)
