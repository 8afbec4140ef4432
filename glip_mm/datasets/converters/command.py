"""Shared parts of the converters' command lines."""

import re
from collections.abc import Sequence
from pathlib import Path

from glip_mm.atomic_files import remove_temporary
from glip_mm.datasets.label_map import write_label_map
from glip_mm_cli.outputs import check_apart

from .records import Records, write_jsonl


def beside(path: str | Path, ending: str) -> Path:
    """Replace a file's suffix by another ending: ``a/b.json.gz`` -> ``a/b_od.json``."""
    path = Path(path)
    path = path.with_suffix('') if path.suffix == '.gz' else path
    return path.with_name(path.stem + ending)


def convert(records: Records, out: str | Path, label_map_file: str | Path | None = None,
            read: Sequence[str | Path] = ()) -> str:
    """Write records, and their label map if they have one.

    Args:
        records: Records to write.
        out: Path of the JSON lines file.
        label_map_file: Path of the label map.
        read: What the records come from besides the source that their report names.

    Returns:
        Summary of written and dropped rows, for the user.

    Raises:
        ValueError: If no box can be used, or what is read would be written over; no file is
            written then.
    """
    for path in (Path(name) for name in (out, label_map_file) if name):
        check_apart(path, records.report.source, *read)
        remove_temporary(path.parent, re.escape(path.name))
    lines = write_jsonl(records, out)
    written = f"wrote {lines} lines to '{out}'"
    if label_map_file is not None and records.label_map is not None:
        write_label_map(records.label_map, label_map_file)
        written += f", {len(records.label_map)} classes to '{label_map_file}'"
    return f'{records.report.summary()}\n{written}'
