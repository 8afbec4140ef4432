"""Reading and writing checkpoint files without running anything they contain."""

import contextlib
import functools
import os
import pickle
import re
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Union
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.logging import HistoryBuffer


def _named(function: Callable, path: str) -> Callable:
    """A function that stands in for the global ``path`` of a file."""

    @functools.wraps(function)
    def stand_in(*args: Any) -> Any:
        return function(*args)

    stand_in.__module__, stand_in.__name__ = path.rsplit('.', 1)
    stand_in.__qualname__ = stand_in.__name__
    return stand_in


def _history_method(owner: Any, name: str) -> Any:
    """What a pickled log buffer needs of ``getattr``, and no more."""
    if owner is not HistoryBuffer or name.startswith('_'):
        raise pickle.UnpicklingError(f'getattr of {name!r} is not plain data')
    return getattr(HistoryBuffer, name)


def safe_objects() -> List[Any]:
    """Plain data that MMEngine saves beside the weights: log histories and NumPy numbers.

    Returns:
        Entries for ``torch.serialization.safe_globals``.
    """
    multiarray = (getattr(np, '_core', None) or np.core).multiarray
    objects: List[Any] = [HistoryBuffer, np.ndarray, np.dtype]
    objects += [type(np.dtype(t)) for t in ('f2', 'f4', 'f8', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2',
                                            'u4', 'u8', '?')]
    objects += [_named(_history_method, f'{module}.getattr')
                for module in ('builtins', '__builtin__')]
    # NumPy 2 moved these functions; a file may carry either name
    objects += [_named(getattr(multiarray, name), f'numpy.{core}.multiarray.{name}')
                for core in ('core', '_core') for name in ('_reconstruct', 'scalar')]
    return objects


def register_safe_objects() -> None:
    """Let MMEngine's own ``torch.load`` read MMEngine's own checkpoints.

    Since torch 2.6 ``torch.load`` refuses everything but tensors and plain containers, so that
    ``load_from=``, ``resume=`` and testing would fail on any checkpoint that MMEngine wrote.
    """
    if hasattr(torch.serialization, 'add_safe_globals'):
        torch.serialization.add_safe_globals(safe_objects())


@contextlib.contextmanager
def _safe_globals() -> Iterator[None]:
    if not hasattr(torch.serialization, 'safe_globals'):
        yield  # older than 2.5: weights only
        return
    with torch.serialization.safe_globals(safe_objects()):
        yield


def read_checkpoint(path: Union[str, Path]) -> Dict[str, Any]:
    """Read a checkpoint file; nothing but data is unpickled.

    Args:
        path: A file, or an http(s) address, which is downloaded once into torch's hub folder.

    Returns:
        The file's contents, tensors on the CPU.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no checkpoint or holds more than data.
    """
    if str(path).startswith(('http://', 'https://')):
        path = _download(str(path))
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"checkpoint '{path}' does not exist: check the path, or download "
                                "the file named under Weights in the config folder's metafile.yml")
    try:
        with _safe_globals():
            checkpoint = torch.load(path, map_location='cpu', weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise ValueError(
            f"checkpoint '{path}' cannot be read safely ({_reason(error)}): it is damaged, no "
            'checkpoint, or holds objects that could run code; where you trust it, save its '
            'weights alone (a dict of tensors)') from error
    if not isinstance(checkpoint, Mapping):
        raise ValueError(f"checkpoint '{path}' holds a {type(checkpoint).__name__}, not a dict of "
                         'weights')
    return dict(checkpoint)


def _reason(error: Exception) -> str:
    # PyTorch's own message runs over many lines and advises to load unsafely
    refused = re.search(r'GLOBAL (\S+)', str(error))
    if refused:
        return f'it needs {refused.group(1)}'
    return (str(error).strip() or repr(error)).splitlines()[0][:120].split('. This file can')[0]


def write_checkpoint(checkpoint: Mapping[str, Any], path: Union[str, Path]) -> None:
    """Write a checkpoint all or nothing: a broken run leaves no half file.

    Args:
        checkpoint: What to save.
        path: Target; its folder is made if missing.
    """
    path = Path(path).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.')
    try:
        with os.fdopen(handle, 'wb') as file:
            torch.save(dict(checkpoint), file)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)  # mkstemp's files are private
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _download(address: str) -> Path:
    target = Path(torch.hub.get_dir()) / 'checkpoints' / Path(urlparse(address).path).name
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(address, str(target))
    return target
