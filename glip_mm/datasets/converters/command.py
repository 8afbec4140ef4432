"""What the command lines of the converters share."""

from pathlib import Path

from ..label_map import write_label_map
from .records import Records, write_jsonl


def beside(path: str | Path, ending: str) -> Path:
    """A neighbour of a file with another ending of its name: ``a/b.json`` -> ``a/b_od.json``."""
    path = Path(path)
    return path.with_name(path.stem + ending)


def convert(records: Records, out: str | Path, label_map_file: str | Path | None = None) -> str:
    """Write records, and their label map where they have one.

    Args:
        records: What to write.
        out: File of JSON lines.
        label_map_file: File of the label map.

    Returns:
        What was written and what was left out, to be shown to the user.

    Raises:
        ValueError: If nothing was left to write; no file is written then.
    """
    first = next(records.records, None)
    if first is None:
        raise ValueError(f'nothing to write to \'{out}\'\n{records.report.summary()}')
    rest = records.records

    def all_of_them():
        yield first
        yield from rest

    records.records = all_of_them()
    lines = write_jsonl(records, out)
    written = f"wrote {lines} lines to '{out}'"
    if label_map_file is not None and records.label_map is not None:
        write_label_map(records.label_map, label_map_file)
        written += f", {len(records.label_map)} classes to '{label_map_file}'"
    return f'{records.report.summary()}\n{written}'
