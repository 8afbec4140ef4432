"""Released models by name."""

from pathlib import Path
from typing import Any, NamedTuple

from mmengine.fileio import load

from glip_mm_cli.places import BESIDE, shared_root


class IndexedModel(NamedTuple):
    """A row of a ``metafile.yml``."""
    name: str
    config: Path
    #: Address or path of the checkpoint, if one was released.
    weights: str | None


def index_root() -> Path:
    """The folder of ``model-index.yml``: the clone, or ``.mim`` inside an installed wheel.

    Raises:
        FileNotFoundError: If there is neither.
    """
    root = shared_root()
    if root is not None:
        return root
    raise FileNotFoundError(
        f"no model-index.yml in '{BESIDE}' or its glip_mm/.mim: models can't be named here; "
        'give the path of a config instead')


def list_models(root: Path | None = None) -> dict[str, IndexedModel]:
    """All models of the index.

    Args:
        root: Folder of ``model-index.yml``; default :func:`index_root`.

    Returns:
        Name -> model, sorted.
    """
    root = index_root() if root is None else root
    models: dict[str, IndexedModel] = {}
    for metafile in load(root / 'model-index.yml').get('Import') or []:
        content: Any = load(root / metafile)
        # a metafile is either a mapping with 'Models' or the bare list of them
        rows = content.get('Models') or [] if isinstance(content, dict) else content
        for row in rows:
            models[row['Name']] = IndexedModel(row['Name'], root / row['Config'],
                                               row.get('Weights'))
    return dict(sorted(models.items()))


def find_model(name: str, root: Path | None = None) -> IndexedModel:
    """Look a model up.

    Args:
        name: As in a ``metafile.yml``, e.g. ``'glip_swin-t_o365'``.
        root: See :func:`list_models`.

    Raises:
        ValueError: If there is no such model; the sentence lists those that exist.
    """
    models = list_models(root)
    if name not in models:
        raise ValueError(f"model '{name}' is neither a config file nor in the model index; known "
                         f"names: {', '.join(models) or 'none'}")
    return models[name]
