"""Released models by name, and where their weights are."""

from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlparse
from urllib.request import url2pathname

from mmengine.fileio import load

from glip_mm_cli.options import folder_for_file
from glip_mm_cli.places import BESIDE, shared_root

from .download import Download, download


class IndexedModel(NamedTuple):
    """A row of a ``metafile.yml``."""
    name: str
    config: Path
    #: Address or path of the checkpoint, if one was released.
    weights: str | None
    #: All addresses of the checkpoint, in the order in which they are tried.
    downloads: tuple[Download, ...] = ()


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
                                               row.get('Weights'), _downloads(row))
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


def _downloads(row: dict[str, Any]) -> tuple[Download, ...]:
    listed = tuple(Download(each['Address'], str(each.get('SHA256', '')), each.get('Size'))
                   for each in row.get('Downloads') or ())
    weights = row.get('Weights')
    # MIM reads one address; the list stands beside it
    return listed or ((Download(weights), ) if weights else ())


def checkpoint_file(checkpoint: str | Path) -> Path:
    """Turn what a user gives as weights into a file: the one place where something is downloaded.

    Args:
        checkpoint: A file; a name of the model index, or its ``Weights``; or another address. Where
            the index lists that one, the other addresses of its model are tried after it.

    Raises:
        DownloadError: If no address gives the file.
        FileNotFoundError: If there is no such file or name.
        IsADirectoryError: If it is a folder.
        ValueError: If the index has no weights for the name.
    """
    text, path = str(checkpoint), Path(checkpoint).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        raise IsADirectoryError(folder_for_file('checkpoint', path))
    address = urlparse(text)
    if address.scheme == 'file':
        return checkpoint_file(url2pathname(unquote(address.path)))
    if address.scheme in ('http', 'https'):
        for model in _index().values():
            if text == model.weights:  # as good as the name
                return download(model.downloads)
            if text in [each.address for each in model.downloads]:
                return download(sorted(model.downloads, key=lambda each: each.address != text))
        return download([Download(text)])
    found = _index().get(text)
    if found is None:
        raise FileNotFoundError(
            f"checkpoint '{path}' does not exist: check the path, or give a name of the model "
            'index or an address')
    if not found.downloads:
        raise ValueError(f"the model index has no weights for '{text}'; give a checkpoint as "
                         'weights')
    first = found.downloads[0].address
    return download(found.downloads) if '://' in first and not first.startswith('file:') else (
        checkpoint_file(first))


def located(checkpoint: str) -> str:
    """The file of an address or of a name of the model index; anything else as it is."""
    remote = urlparse(checkpoint).scheme in ('http', 'https', 'file')
    if remote or checkpoint in _index() and not Path(checkpoint).is_file():
        return str(checkpoint_file(checkpoint))
    return checkpoint


def _index() -> dict[str, IndexedModel]:
    try:
        return list_models()
    except FileNotFoundError:  # the package without its configs
        return {}
