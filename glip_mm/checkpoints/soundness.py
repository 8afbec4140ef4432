"""Checks of what a checkpoint holds: bits that changed since it was written, and NaN."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor


def check_bits(path: str | Path) -> None:
    """Compare a checkpoint's records with the checksums that ``torch.save`` writes beside them.

    ``torch.load`` does not look at them, and a flipped bit becomes another weight. Files of
    PyTorch before 1.6, and those that were written without checksums, have nothing to compare.

    Raises:
        ValueError: If a record is not what was written.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as file:
        # set_crc32_options(False) writes 0 everywhere
        changed = file.testzip() if any(record.CRC for record in file.infolist()) else None
    if changed:
        raise ValueError(f"the record '{changed}' differs from its checksum: bits of the file have "
                         'changed since it was written; copy or download it again')


def check_finite(state: Mapping[str, Tensor]) -> None:
    """Refuse weights that are no numbers.

    Raises:
        ValueError: If a tensor holds NaN or infinity; names the first ones.
    """
    bad = [key for key, value in state.items()
           if value.is_floating_point() and not bool(_finite(value).all())]
    if bad:
        count = int((~_finite(state[bad[0]])).sum())
        more = f', and {len(bad) - 1} more tensors are like it' if len(bad) > 1 else ''
        raise ValueError(
            f'{bad[0]} holds NaN or infinity ({count} of {state[bad[0]].numel()} values{more}): '
            'the training that wrote it diverged, or the file is damaged; use an earlier one')


def _finite(value: Tensor) -> Tensor:
    # numbers of a byte have few operators
    return (value.float() if value.element_size() == 1 else value).isfinite()
