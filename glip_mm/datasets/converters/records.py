"""ODVG records, from a data set to a JSON lines file."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from glip_mm.atomic_files import replacing
from glip_mm.datasets.data_error import DataError
from glip_mm.datasets.report import Report

from .text_file import captions_hint


@dataclass
class Records:
    """ODVG records of a data set.

    Attributes:
        records: Iterable of the records; can be iterated over once.
        label_map: Label -> class name of detection data; None for grounding data.
        total: Number of rows in the source, an upper limit for the records. None if unknown.
        report: Counts, complete after the iteration.
    """

    records: Iterator[dict]
    label_map: dict[int, str] | None
    total: int | None
    report: Report

    def __iter__(self) -> Iterator[dict]:
        return iter(self.records)


def json_line(record: dict) -> bytes:
    """Encode a record as a line of JSON."""
    try:
        return json.dumps(record, ensure_ascii=False, separators=(',', ':')).encode() + b'\n'
    except UnicodeEncodeError:  # lone surrogates, as in crawled captions
        return json.dumps(record, separators=(',', ':')).encode() + b'\n'


def write_jsonl(records: Records | Iterable[dict], path: str | Path,
                progress: bool = True) -> int:
    """Write records as JSON lines, atomically.

    Args:
        records: ODVG records.
        path: Path of the file; its folder is created if missing.
        progress: Show a progress bar.

    Returns:
        Number of lines.

    Raises:
        DataError: If the source has no rows, or none of its boxes can be used; no file is written
            then.
    """
    path = Path(path)
    lines = 0

    def chunks() -> Iterator[bytes]:
        nonlocal lines
        total = getattr(records, 'total', None)
        with tqdm(total=total, desc=f'writing {path.name}', unit='row', disable=not progress,
                  mininterval=0.5) as bar:
            for record in records:
                lines += 1
                bar.update()
                yield json_line(record)
            bar.total = lines  # dropped rows are not missing
            bar.refresh()
        if isinstance(records, Records):
            report = records.report
            if not lines or report.boxes_read and not report.boxes_written:
                raise DataError(
                    f"nothing to write to '{path}': '{report.source}' has no box that can be used"
                    f'{captions_hint(report.source)}\n{report.summary()}')

    with replacing(path) as file:
        file.writelines(chunks())
    return lines
