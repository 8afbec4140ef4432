"""Index of the released models: names, configs and addresses of their weights."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlparse
from urllib.request import url2pathname

from mmengine.fileio import load

from glip_mm_cli.options import folder_for_file
from glip_mm_cli.places import BESIDE, shared_root

from .download import Download, download


class IndexedModel(NamedTuple):
    """A model of a ``metafile.yml``."""
    name: str
    config: Path
    #: Address or path of the checkpoint, None if none was released.
    weights: str | None
    #: All addresses of the checkpoint, in the order in which they are tried.
    downloads: tuple[Download, ...] = ()
    #: Other names of the model.
    aliases: tuple[str, ...] = ()


def index_root() -> Path:
    """Find the folder of ``model-index.yml``: the clone, or ``.mim`` inside an installed wheel.

    Raises:
        FileNotFoundError: If there is neither.
    """
    root = shared_root()
    if root is not None:
        return root
    raise FileNotFoundError(
        f"no model-index.yml in '{BESIDE}' or its glip_mm/.mim: models can't be named here; "
        'give the path of a config instead')


def index_rows(root: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Iterate over the models of the index: name of the metafile, and the model's row in it.

    Args:
        root: Folder of ``model-index.yml``.
    """
    for metafile in load(root / 'model-index.yml').get('Import') or []:
        content: Any = load(root / metafile)
        # a metafile is either a mapping with 'Models' or the bare list of them
        for row in content.get('Models') or [] if isinstance(content, dict) else content:
            yield metafile, row


def list_models(root: Path | None = None) -> dict[str, IndexedModel]:
    """List all models of the index.

    Args:
        root: Folder of ``model-index.yml``; default: :func:`index_root`.

    Returns:
        Name -> model, sorted.
    """
    root = index_root() if root is None else root
    models: dict[str, IndexedModel] = {}
    for _, row in index_rows(root):
        models[row['Name']] = IndexedModel(row['Name'], root / row['Config'], row.get('Weights'),
                                           _downloads(row), tuple(row.get('Alias') or ()))
    return dict(sorted(models.items()))


def find_model(name: str, root: Path | None = None) -> IndexedModel:
    """Look up a model by its name or an alias.

    Args:
        name: Name in a ``metafile.yml``, such as ``'glip_swin-t_o365'``, or one of its ``Alias``,
            such as ``'glip-t-b'``.
        root: Folder of the index, see :func:`list_models`.

    Raises:
        ValueError: If there is no such model; the message lists the known ones.
    """
    models = list_models(root)
    found = _with_aliases(models).get(name)
    if found is None:
        raise ValueError(f"model '{name}' is neither a config file nor in the model index; known "
                         f"names: {', '.join(models) or 'none'}")
    return found


def _with_aliases(models: dict[str, IndexedModel]) -> dict[str, IndexedModel]:
    return {**{alias: model for model in models.values() for alias in model.aliases}, **models}


def _downloads(row: dict[str, Any]) -> tuple[Download, ...]:
    listed = tuple(Download(each['Address'], str(each.get('SHA256', '')), each.get('Size'))
                   for each in row.get('Downloads') or ())
    weights = row.get('Weights')
    # MIM reads only `Weights`; our list of addresses is a further key
    return listed or ((Download(weights), ) if weights else ())


def checkpoint_file(checkpoint: str | Path) -> Path:
    """Resolve a user's checkpoint argument to a file, downloading it if needed.

    Args:
        checkpoint: A file; a name of the model index, or its ``Weights``; or another address. If
            the index lists the address, the model's other addresses are tried after it.

    Raises:
        DownloadError: If no address provides the file.
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
            if text == model.weights:  # equivalent to the model's name
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
    """Resolve an address or a name of the model index to a file; return anything else as it is."""
    remote = urlparse(checkpoint).scheme in ('http', 'https', 'file')
    if remote or checkpoint in _index() and not Path(checkpoint).is_file():
        return str(checkpoint_file(checkpoint))
    return checkpoint


def _index() -> dict[str, IndexedModel]:
    try:
        return _with_aliases(list_models())
    except FileNotFoundError:  # installed without configs
        return {}
