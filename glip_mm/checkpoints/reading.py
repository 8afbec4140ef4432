"""Reading and writing of checkpoint files without executing any code in them."""

import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from glip_mm.atomic_files import replacing
from glip_mm.compat import allow_resume_checkpoints

from .convert import find_weights
from .model_index import checkpoint_file
from .soundness import check_bits


def read_checkpoint(path: str | Path, mmap: bool = False) -> dict[str, Any]:
    """Read a checkpoint file; only plain data is unpickled.

    Args:
        path: A file (also ``.safetensors``), a name of the model index or an address; see
            :func:`checkpoint_file`.
        mmap: Map the tensors instead of reading them, where the file allows it.

    Returns:
        The file's contents, tensors on the CPU.

    Raises:
        FileNotFoundError: If there is no such file.
        DownloadError: If it can't be downloaded.
        ValueError: If the file is no checkpoint or holds more than plain data.
    """
    path = checkpoint_file(path)
    try:
        allow_resume_checkpoints()  # plain data that MMEngine saves beside the weights
        if path.suffix == '.safetensors':
            from safetensors.torch import load_file
            return load_file(path)
        check_bits(path)
        with warnings.catch_warnings():
            for message in ('Detected pickle protocol', 'Validating sparse tensor invariant'):
                warnings.filterwarnings('ignore', message=message)
            checkpoint = torch.load(path, map_location='cpu', weights_only=True,
                                    mmap=mmap and zipfile.is_zipfile(path))
    except Exception as error:  # unpickling a file that is no checkpoint can raise anything
        raise ValueError(
            f"checkpoint '{path}' cannot be read safely ({_reason(error)}): it is damaged, no "
            'checkpoint, or holds objects that could run code; where you trust it, save its '
            'weights alone (a dict of tensors)') from error
    if not isinstance(checkpoint, Mapping):
        raise ValueError(f"checkpoint '{path}' holds a {type(checkpoint).__name__}, not a dict of "
                         'weights')
    for weights in (checkpoint, checkpoint.get('state_dict'), checkpoint.get('model')):
        empty = [key for key, value in weights.items() if isinstance(value, torch.Tensor)
                 and value.is_meta] if isinstance(weights, Mapping) else []
        if empty:
            raise ValueError(f"checkpoint '{path}': {len(empty)} tensors, such as {empty[0]!r}, "
                             'have no values: it was saved of a model without memory')
    return dict(checkpoint)


def check_checkpoint(path: str | Path, resume: bool = False) -> None:
    """Check that a file is a checkpoint, before a model is built for it.

    Args:
        path: The file, or a folder of DeepSpeed, whose files are compared with their checksums.
        resume: Whether a training is to go on from it.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint, or none that a training can go on from.
    """
    if Path(path).is_dir():  # of DeepSpeed: a file for each process
        for part in sorted(Path(path).rglob('*.pt')):
            try:
                check_bits(part)
            except (OSError, ValueError, zipfile.BadZipFile) as error:
                raise ValueError(f"checkpoint '{path}' cannot be read: '{part.name}': {error}"
                                 ) from error
        return
    content = read_checkpoint(path, mmap=True)
    try:
        find_weights(content)
    except TypeError as error:
        raise ValueError(f"checkpoint '{path}': {error}") from None
    meta = content.get('meta')
    if resume and not (isinstance(meta, Mapping) and all(
            type(meta.get(key)) is int and meta[key] >= 0 for key in ('iter', 'epoch'))):
        raise ValueError(f"checkpoint '{path}' does not say at which iteration it was written: no "
                         'training can go on from it; start one from it with load_from')


def _reason(error: Exception) -> str:
    # PyTorch's own message spans many lines and recommends unsafe loading
    refused = re.search(r'GLOBAL (\S+)', str(error))
    if refused:
        return f'it needs {refused.group(1)}'
    if 'Unsupported operand' in str(error):
        return 'it is pickled otherwise than torch.save does by default'
    text = str(error).strip().partition('\n')[0]
    # a word or a number of a library says nothing
    return 'it is no file of weights' if 'weights_only' in text or ' ' not in text else text[:200]


def write_checkpoint(checkpoint: Mapping[str, Any], path: str | Path) -> None:
    """Write a checkpoint atomically.

    Args:
        checkpoint: Content of the file.
        path: Target file; its folder is created if missing.
    """
    with replacing(Path(path).expanduser()) as file:
        try:
            torch.save(dict(checkpoint), file)
        except RuntimeError as error:
            # on a full disk PyTorch fails once more when it closes the file, and hides why
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise
