"""ODVG records, from a data set to a JSON lines file."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from glip_mm.atomic_files import replacing

from .conversion_report import Report


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

    with replacing(path) as file:
        file.writelines(chunks())
    return lines
