"""Memory-mapped tables: millions of rows at no cost per process.

A data set is opened by every rank and every data loader worker. Annotations as Python objects would
cost each of them gigabytes and minutes; only the *place* of a row is kept, as fixed-width columns
in an Arrow IPC file that is memory-mapped: opening reads a footer, pages are shared by all
processes of a machine, and the annotations stay in the user's own files, so nothing is stored
twice. Arrow rather than a format of our own: ``datasets``, ``polars`` and ``duckdb`` read it, so
that an index can be inspected with any of them. Not LMDB or a database: rows are never changed or
searched for, only numbered.
"""

import errno
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa

from glip_mm.atomic_files import remove_temporary, replacing
from glip_mm.file_lock import exclusive

from .file_identity import digest, fingerprint

#: Rows per batch of the file, except the last: row ``i`` is in batch ``i // BATCH_ROWS``.
BATCH_ROWS = 65536
VERSION = 3


class MappedTable:
    """Integer columns of an Arrow file, memory-mapped.

    Args:
        path: Path of a file written by :func:`open_or_build`.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._open()

    def _open(self) -> None:
        self._reader = pa.ipc.open_file(pa.memory_map(str(self.path)))
        self._batches: dict = {}
        #: Digest of what the table was built from.
        self.stamp = self._reader.schema.metadata[b'glip_mm'].decode()
        self._count = self._reader.num_record_batches - 1  # the last holds the notes alone
        last = self._reader.get_batch(self._count - 1).num_rows if self._count else 0
        self.rows = max(self._count - 1, 0) * BATCH_ROWS + last

    @property
    def notes(self) -> dict:
        """Return what was noted while the table was built."""
        metadata = self._reader.get_batch_with_custom_metadata(self._count).custom_metadata
        return json.loads(metadata[b'notes'])

    def __len__(self) -> int:
        return self.rows

    def __getstate__(self) -> dict:
        return dict(path=self.path, stamp=self.stamp)  # spawned workers map the file themselves

    def __setstate__(self, state: dict) -> None:
        self.path = state['path']
        self._open()
        if self.stamp != state['stamp']:
            raise RuntimeError(f"'{self.path}' was built anew because its data changed while they "
                               'were in use; start again')

    def _column(self, batch: int, name: str) -> np.ndarray:
        if batch not in self._batches:
            self._batches[batch] = self._reader.get_batch(batch)
        return self._batches[batch].column(name).to_numpy(zero_copy_only=True)

    def take(self, name: str, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return the values of a column, ``[n]``, for ``n`` row numbers in any order."""
        batch, place = np.divmod(np.asarray(rows, np.int64), BATCH_ROWS)
        result = np.zeros(len(rows), np.int64)
        for b in np.unique(batch):
            chosen = batch == b
            result[chosen] = self._column(int(b), name)[place[chosen]]
        return result

    def row(self, row: int) -> dict:
        """Return all values of a row."""
        batch, place = divmod(int(row), BATCH_ROWS)
        return {name: int(self._column(batch, name)[place]) for name in self._reader.schema.names}

    def batches(self, name: str) -> Iterator[np.ndarray]:
        """Iterate over a column, batch by batch."""
        for batch in range(self._count):
            yield self._reader.get_batch(batch).column(name).to_numpy(zero_copy_only=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Lock a file of results for one process per machine; the lock of a dead process is released.

    Raises:
        PermissionError: If its folder is read-only; the message says what to do.
    """
    try:
        with exclusive(path.with_name(f'.{path.name}.lock')):
            remove_temporary(path.parent, re.escape(path.name))
            yield
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        raise PermissionError(
            f"'{path.name}' cannot be written beside its data ({error}): give the data set "
            'index_dir=, a folder for it') from error


def open_or_build(path: Path, files: Sequence[Path], columns: Sequence[tuple[str, pa.DataType]],
                  rows: Callable[[], Iterator[tuple]], kind: str = '',
                  notes: Mapping | None = None) -> MappedTable:
    """Open a table, after building it if it is missing or its files have changed.

    Several processes may do so at once: one builds, the others wait. The table is complete or
    absent, whatever happens. A table that is up to date is opened without writing anything.

    Args:
        path: Path of the table.
        files: Source files of the table.
        columns: Names and integer types of the columns.
        rows: Function that iterates over the rows, one value for each column.
        kind: Further text that must match for an existing table to be used.
        notes: Facts to keep in a new table; read after the last row.

    Raises:
        PermissionError: If it has to be built in a read-only folder.
    """
    path = Path(path)
    wanted = digest([VERSION, kind, fingerprint(files, path.parent)])
    table = _open_current(path, wanted)
    if table is None:
        with writing(path):
            table = _open_current(path, wanted)
            if table is None:
                _build(path, columns, rows(), wanted, {} if notes is None else notes)
                table = MappedTable(path)
    return table


def _open_current(path: Path, wanted: str) -> MappedTable | None:
    try:
        table = MappedTable(path)
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowInvalid):
        return None
    return table if table.stamp == wanted else None


def _build(path: Path, columns: Sequence[tuple[str, pa.DataType]], rows: Iterator[tuple],
           wanted: str, notes: Mapping) -> None:
    schema = pa.schema(columns, metadata={b'glip_mm': wanted.encode()})
    with replacing(path) as file, pa.ipc.new_file(file, schema) as writer:
        for batch in _in_batches(rows, schema):
            writer.write_batch(batch)
        # they are complete only now, when the schema and its metadata have been written
        writer.write_batch(pa.RecordBatch.from_pylist([], schema=schema),
                           custom_metadata={'notes': json.dumps(notes)})


def _in_batches(rows: Iterator[tuple], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    while pending := list(itertools.islice(rows, BATCH_ROWS)):
        values = np.asarray(pending, np.int64)
        yield pa.RecordBatch.from_arrays(
            [pa.array(values[:, i]).cast(field.type) for i, field in enumerate(schema)],
            schema=schema)
