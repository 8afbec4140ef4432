"""Splits from the tools' ``--data``: a folder, or a data set of ODinW."""

from pathlib import Path

from .data import folder_splits
from .odinw import odinw_rows, odinw_splits
from .splits import Splits

ODINW = 'odinw:'


def data_name(data: str) -> str:
    """Return the name of ``--data`` in folders of results."""
    return data[len(ODINW):] if data.startswith(ODINW) else Path(data).resolve().name or 'data'


def open_splits(data: str, out: Path, val_fraction: float | None = None,
                sets: str | Path = '', odinw_root: str | Path = 'data/odinw',
                test: str = 'test') -> Splits:
    """Open the splits of a data set.

    Args:
        data: Folder, or ``odinw:NAME``.
        out: Folder for new annotation files, see :func:`.data.folder_splits`.
        val_fraction: Share of the val split, see :func:`.data.folder_splits`.
        sets: File of descriptions, see :func:`.odinw.odinw_rows`.
        odinw_root: Folder of all data sets, see :func:`.odinw.odinw_splits`.
        test: Split to test, see :func:`.odinw.odinw_splits`.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If the splits are invalid.
    """
    if data.startswith(ODINW):
        return odinw_splits(data[len(ODINW):], odinw_rows(sets), odinw_root, test)
    # seed 0: all tools must divide alike
    return folder_splits(data, val_fraction, 0, out)
