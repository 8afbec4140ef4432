"""Start of a fine-tuning: the model's config and weights, and a check that they match."""

import hashlib
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path

from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

from glip_mm.apis.building import build_model, released_config, stored_part
from glip_mm.atomic_files import write_atomically
from glip_mm.checkpoints.model_index import list_models
from glip_mm.config_text import config_text
from glip_mm.registry import SCOPE
from glip_mm_cli.inputs import similar_files
from glip_mm_cli.places import shared_file


def find_start(checkpoint: str, config: str | None, folder: str | Path) -> tuple[Path, str]:
    """Find config file and weights of a model.

    Args:
        checkpoint: A file, an address, or a name of the model index, such as
            ``'glip_swin-t_o365-goldg'``.
        config: Config file, or a name of the model index. Default: the index's config for the
            name or for a released file, or the config that our trainings store in checkpoints.
        folder: Folder for a config from a checkpoint.

    Returns:
        Path of the config file, and the weights' path or address.

    Raises:
        FileNotFoundError: If one of them is missing.
        ValueError: If the config cannot be determined, the file is no checkpoint, or its config
            names anything but registered classes, see :func:`glip_mm.safe_config.plain_part`.
    """
    models = list_models()
    weights = checkpoint
    if checkpoint in models:
        weights = models[checkpoint].weights or ''
        config = config or str(models[checkpoint].config)
        if not weights:
            raise ValueError(f"the model index has no weights for --checkpoint '{checkpoint}': "
                             'give a file')
    elif '://' not in checkpoint and not Path(checkpoint).is_file():
        raise FileNotFoundError(f"--checkpoint '{checkpoint}' is not a file"
                                f'{similar_files(checkpoint)}; models of the index are '
                                f'{", ".join(models)}')
    if config in models:
        config = str(models[config].config)
    if config is None:
        released = released_config(checkpoint)
        config = None if released is None else str(released)
    if config is not None:
        path = shared_file(config)
        if not path.is_file():
            raise FileNotFoundError(f"--config '{config}' is not a file{similar_files(config)}")
        return path, weights
    try:
        part = None if '://' in weights else stored_part(
            weights, f"the config in --checkpoint '{checkpoint}'")
    except ValueError as error:
        # what is no checkpoint names itself
        where = '' if checkpoint in str(error) else f"--checkpoint '{checkpoint}': "
        raise ValueError(f'{where}{error}') from error
    if part is None:
        raise ValueError(f"--checkpoint '{checkpoint}' does not say what model it is of: give "
                         '--config, such as configs/glip/glip_swin-t_o365-goldg.py')
    text = config_text(part).encode()
    path = Path(folder) / f'model_{hashlib.sha256(text).hexdigest()[:8]}.py'
    return write_atomically(path, text), weights


def read_base(path: str | Path) -> Config:
    """Read the config of a model.

    Raises:
        ValueError: If it cannot be read, or is no config of a GLIP.
    """
    try:
        config = Config.fromfile(path)
    except Exception as error:  # a config is code, which may raise anything
        at = f', line {error.lineno}' if isinstance(error, SyntaxError) else ''
        raise ValueError(f"--config '{path}'{at} cannot be read: {type(error).__name__}: {error}"
                         ) from error
    model = config.get('model') or {}
    if not model:
        raise ValueError(f"config '{path}' has no model: give that of a GLIP")
    if 'language_model' not in model:
        raise ValueError(f"config '{path}' has no model.language_model, its model.type is "
                         f'{model.get("type")!r}: give the config of a GLIP')
    return config


def check_start(config: Path, weights: str) -> None:
    """Build what a run needs, to report a mismatch before training: model, weights, pipelines.

    Args:
        config: Path of the run's config.
        weights: Path or address of the weights.

    Raises:
        FileNotFoundError, ImportError, KeyError, OSError, TypeError, ValueError: See
            :func:`glip_mm.apis.building.build_model`; the message says what to do.
    """
    content = Config.fromfile(config)
    build_model(content, weights)
    with DefaultScope.overwrite_default_scope(content.get('default_scope', SCOPE)):
        for key in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
            try:
                for dataset in _with_pipelines(content[key]['dataset'] if key in content else {}):
                    Compose(deepcopy(dataset['pipeline']))
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{key}.dataset of '{config}' cannot be built: "
                                 f'{error.args[0]}') from error


def _with_pipelines(dataset: Mapping) -> Iterator[Mapping]:
    if 'pipeline' in dataset:
        yield dataset
    for part in (*(dataset.get('datasets') or ()), *filter(None, [dataset.get('dataset')])):
        yield from _with_pipelines(part)
