"""What ``--data`` of the tools names: a folder, or a data set of ODinW."""

from pathlib import Path

from .data import folder_splits
from .odinw import odinw_rows, odinw_splits
from .splits import Splits

ODINW = 'odinw:'


def data_name(data: str) -> str:
    """What folders of results call ``--data``."""
    return data[len(ODINW):] if data.startswith(ODINW) else Path(data).resolve().name or 'data'


def open_splits(data: str, out: Path, val_fraction: float | None = None,
                sets: str | Path = '', odinw_root: str | Path = 'data/odinw',
                test: str = 'test') -> Splits:
    """The splits of a data set.

    Args:
        data: A folder, or ``odinw:NAME``.
        out: See :func:`.data.folder_splits`.
        val_fraction: See :func:`.data.folder_splits`.
        sets: File of :func:`.odinw.odinw_rows`.
        odinw_root: See :func:`.odinw.odinw_splits`.
        test: See :func:`.odinw.odinw_splits`.

    Raises:
        FileNotFoundError: If something is missing.
        ValueError: If something is wrong with it.
    """
    if data.startswith(ODINW):
        return odinw_splits(data[len(ODINW):], odinw_rows(sets), odinw_root, test)
    # the same division for every tool
    return folder_splits(data, val_fraction, 0, out)
