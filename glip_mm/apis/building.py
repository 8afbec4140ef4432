"""Building of a model that is ready to predict from a config, a name or a model."""

from copy import deepcopy
from os import PathLike
from pathlib import Path

from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import DefaultScope, init_default_scope
from torch import nn

from glip_mm.checkpoints import load_glip_checkpoint
from glip_mm.checkpoints.model_index import find_model
from glip_mm.models import GLIP
from glip_mm.registry import DATASETS, MODELS, SCOPE
from glip_mm_cli.places import shared_file


def resolve_model(model: str | PathLike | Config, weights: str | PathLike | None = None
                  ) -> tuple[Config, str | None]:
    """Find the config and the weights of a model.

    Args:
        model: Path of a config, a name of the model index, or a config.
        weights: Checkpoint; default: the one that the model index names.

    Returns:
        A copy of the config, which may be changed, and the checkpoint's path or address.

    Raises:
        FileNotFoundError: If there is no such config file.
        ValueError: If the name is unknown, or no config can be read.
    """
    weights = None if weights is None else str(weights)
    if isinstance(model, Config):
        return deepcopy(model), weights
    path = Path(model)
    if path.suffix in ('.pth', '.pt', '.ckpt'):
        raise ValueError(f"model='{model}' is a checkpoint; give its config (or a name of the "
                         'model index) as model and the file as weights')
    if path.suffix not in ('.py', '.json', '.yml', '.yaml'):
        found = find_model(str(model))
        path, weights = found.config, weights or found.weights
        if weights is None:
            raise ValueError(f"the model index has no weights for '{model}'; give a checkpoint as "
                             'weights')
    path = shared_file(path)
    if not path.is_file():
        raise FileNotFoundError(f"config '{path}' does not exist; give the path of a config or a "
                                'name of the model index as model')
    return Config.fromfile(path), weights


def build_model(cfg: Config, weights: str | None = None) -> nn.Module:
    """Build the model of a config and load its weights, on the CPU.

    Nothing else is read or downloaded: the checkpoint includes the backbone and the language model.

    Args:
        cfg: Config of the model.
        weights: Path or address of a checkpoint in any of the three namings; ``None`` leaves the
            model untrained, with a warning.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        DownloadError: If it can't be downloaded.
        TypeError: If the config builds no GLIP of this package.
        ValueError: If the checkpoint belongs to another model.
    """
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', SCOPE)):
        model = MODELS.build(deepcopy(cfg.model))
    if not isinstance(model, GLIP):
        raise TypeError(f"model.type='{cfg.model.type}' of the config builds "
                        f"{type(model).__module__}.{type(model).__name__}; set it to "
                        "'glip_mm.GLIP'")
    if weights is None:
        MMLogger.get_current_instance().warning(
            'weights=None: the model is untrained and what it finds is random')
    else:
        _load(model, weights)
    return revert_sync_batchnorm(model)


def _load(model: nn.Module, weights: str) -> None:
    try:
        load_glip_checkpoint(model, weights)
    except (KeyError, TypeError, ValueError) as error:
        reason = ' '.join(str(error.args[0] if error.args else error).split())
        raise ValueError(f"weights '{weights}': {reason}") from error


def build_dataset(config: Config, split: str, member: int | None = None) -> object:
    """Build the dataset of a config's split.

    Raises:
        ValueError: If the config has none for the split, or it has no such member.
        FileNotFoundError: If its data are missing.
    """
    loader = config.get(f'{split}_dataloader')
    if not loader:
        splits = [s for s in ('train', 'val', 'test') if config.get(f'{s}_dataloader')]
        raise ValueError(f"the config has no {split}_dataloader; --split can be "
                         f"{', '.join(splits) or 'nothing: there is none at all'}")
    dataset_config = loader.dataset
    if member is not None:
        datasets = dataset_config.get('datasets')
        if datasets is None or not 0 <= member < len(datasets):
            raise ValueError(f'--member {member}: {dataset_config.type} of {split}_dataloader has '
                             f'{len(datasets) if datasets else "no"} members')
        dataset_config = datasets[member]
    init_default_scope(config.get('default_scope', 'glip_mm'))
    return DATASETS.build(dataset_config)
