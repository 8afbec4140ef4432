"""Location of configs, tools and the model index."""

from pathlib import Path

BESIDE = Path(__file__).parents[1]


def shared_root() -> Path | None:
    """Find the folder that holds ``configs``, ``tools``, ``demo`` and ``model-index.yml``.

    Returns:
        The clone, or ``.mim`` inside the installed package; None if there is neither.
    """
    for root in (BESIDE, BESIDE / 'glip_mm' / '.mim'):
        if (root / 'model-index.yml').is_file() and (root / 'configs').is_dir():
            return root
    return None


def shared_file(name: str | Path) -> Path:
    """Find a file such as ``configs/glip/x.py`` here or else in the package.

    Args:
        name: Path of the file.

    Returns:
        The path of an existing file, or ``name`` as it is.
    """
    path, root = Path(name), shared_root()
    if path.is_file() or path.is_absolute() or root is None or not (root / path).is_file():
        return path
    return root / path
