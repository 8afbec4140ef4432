"""Where configs, tools and the model index lie."""

from pathlib import Path

BESIDE = Path(__file__).parents[1]


def shared_root() -> Path | None:
    """The folder that holds ``configs``, ``tools``, ``demo`` and ``model-index.yml``.

    Returns:
        The clone, or ``.mim`` inside the installed package; None if there is neither.
    """
    for root in (BESIDE, BESIDE / 'glip_mm' / '.mim'):
        if (root / 'model-index.yml').is_file() and (root / 'configs').is_dir():
            return root
    return None
