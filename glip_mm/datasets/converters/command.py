"""Shared parts of the converters' command lines."""

import re
from pathlib import Path

from glip_mm.atomic_files import remove_temporary
from glip_mm.datasets.label_map import write_label_map

from .records import Records, write_jsonl


def beside(path: str | Path, ending: str) -> Path:
    """Replace a file's suffix by another ending: ``a/b.json.gz`` -> ``a/b_od.json``."""
    path = Path(path)
    path = path.with_suffix('') if path.suffix == '.gz' else path
    return path.with_name(path.stem + ending)


def convert(records: Records, out: str | Path, label_map_file: str | Path | None = None) -> str:
    """Write records, and their label map if they have one.

    Args:
        records: Records to write.
        out: Path of the JSON lines file.
        label_map_file: Path of the label map.

    Returns:
        Summary of written and dropped rows, for the user.

    Raises:
        ValueError: If no box can be used; no file is written then.
    """
    for path in (Path(name) for name in (out, label_map_file) if name):
        remove_temporary(path.parent, re.escape(path.name))
    lines = write_jsonl(records, out)
    written = f"wrote {lines} lines to '{out}'"
    if label_map_file is not None and records.label_map is not None:
        write_label_map(records.label_map, label_map_file)
        written += f", {len(records.label_map)} classes to '{label_map_file}'"
    return f'{records.report.summary()}\n{written}'
