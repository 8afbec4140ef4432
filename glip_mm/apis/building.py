"""Building of a model that is ready to predict from a config, a name or a model."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from os import PathLike
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import DefaultScope, init_default_scope
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from glip_mm.checkpoints import load_glip_checkpoint, read_checkpoint, stored_config
from glip_mm.checkpoints.model_index import find_model, list_models, located
from glip_mm.datasets.concat_dataset import member_configs
from glip_mm.engine.runner import building
from glip_mm.models import GLIP
from glip_mm.registry import DATASETS, MODELS, SCOPE
from glip_mm.safe_config import plain_part
from glip_mm_cli.options import merge_cfg_options
from glip_mm_cli.places import shared_file

from .images import ImagePipeline
from .pretrained import find_pretrained, is_hub_id, read_pretrained
from .prompts import make_prompt

#: Suffixes of checkpoints and of configs.
CHECKPOINTS = ('.pth', '.pt', '.ckpt')
CONFIGS = ('.py', '.json', '.yml', '.yaml')
KINDS = (*CHECKPOINTS, *CONFIGS)
#: Width and height in pixels of the image that a stored config is tried with.
_TRIED = 64


def resolve_model(model: str | PathLike | Config, weights: str | PathLike | None = None,
                  options: Mapping[str, Any] | None = None) -> tuple[Config, str | None]:
    """Find the config and the weights of a model.

    Args:
        model: Path of a config, a name of the model index, a checkpoint with its config (or a
            released one), a folder or hub id of :func:`.pretrained.save_pretrained`, or a config.
        weights: Checkpoint; default: the one that the model index names.
        options: Settings that replace those of the config: keys with dots, as ``--cfg-options``.

    Returns:
        A copy of the config, which may be changed, and the checkpoint's path or address.

    Raises:
        FileNotFoundError: If there is no such config file.
        ValueError: If the name is unknown, no config can be read, or an option does not fit it;
            see :func:`config_of`, too.
    """
    config, weights = _find(model, None if weights is None else str(weights))
    merge_cfg_options(config, options)
    return config, weights


def _find(model: str | PathLike | Config, weights: str | None) -> tuple[Config, str | None]:
    if isinstance(model, Config):
        return deepcopy(model), weights
    if not str(model).strip():
        raise ValueError(f'model={str(model)!r} names no model')
    path = Path(model)
    if path.is_dir() or is_hub_id(str(model)) and not path.exists() and path.suffix not in KINDS:
        if weights is not None:
            raise ValueError(f"model='{model}' has weights of its own; leave out weights="
                             f"'{weights}', or give a config")
        return read_pretrained(find_pretrained(str(model)))
    if path.suffix in CHECKPOINTS:
        if weights is not None:
            raise ValueError(f"model='{model}' and weights='{weights}' are both checkpoints; give "
                             'a config, or a name of the model index, as model')
        return config_of(str(model)), str(model)
    if path.suffix not in CONFIGS:
        if path.is_file():
            raise ValueError(f"model='{model}' is a file, but no config ({' '.join(CONFIGS)}) and "
                             f"no checkpoint ({' '.join(CHECKPOINTS)}); what is looked at stands "
                             'before the model')
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


def config_of(checkpoint: str) -> Config:
    """Find the config of a checkpoint: that of a released file, or the one stored in it.

    Args:
        checkpoint: Path or address.

    Returns:
        The config of the model index; or the model and the test pipeline of the stored one, which
        is read as plain values, see :func:`glip_mm.safe_config.plain_part`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If there is no config, or it names anything but registered classes.
    """
    released = released_config(checkpoint)
    if released is not None:
        return Config.fromfile(released)
    part = stored_part(checkpoint, f"the config in '{checkpoint}'")
    if part is None:
        raise ValueError(f"'{checkpoint}' does not say what model it is of: give its config (or a "
                         'name of the model index) as model and the file as weights')
    return plain_config(part, checkpoint)


class StoredConfig(Config):
    """A config that came with weights: its settings are tried out before they are used."""


def plain_config(part: Mapping[str, Any], path: str) -> StoredConfig:
    """Return the config that inference needs of :func:`glip_mm.safe_config.plain_part`.

    Args:
        part: Plain values.
        path: File that they come from.
    """
    kept = {key: part[key] for key in ('default_scope', 'model', 'test_cfg') if key in part}
    return StoredConfig(dict(kept, test_dataloader=dict(dataset=dict(
        pipeline=part.get('test_pipeline', [])))), cfg_text='stored', filename=path)


def released_config(checkpoint: str) -> Path | None:
    """Return the config of the model index whose published file has the name of a checkpoint."""
    name = Path(urlparse(checkpoint).path).name
    return next((model.config for model in list_models().values()
                 if name in [each.name for each in model.downloads]), None)


def stored_part(checkpoint: str, source: str) -> dict[str, Any] | None:
    """Read what the config in a checkpoint says about its model; None if there is no config.

    Args:
        checkpoint: Path or address.
        source: What the config is of, for messages.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the config names anything but registered classes.
    """
    kept = stored_config(read_checkpoint(checkpoint, mmap=True))
    return None if kept is None or 'model' not in kept else plain_part(kept, source)


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
        ValueError: If the checkpoint belongs to another model, or no model can be built from the
            config; of a :class:`StoredConfig`, also if no image can be predicted with it.
    """
    if not isinstance(cfg.get('model'), Mapping):
        raise ValueError(f"the config has model={str(cfg.get('model'))[:80]!r}, not a dict that "
                         'says what to build')
    register_all_modules(init_default_scope=False)
    stored = isinstance(cfg, StoredConfig) and weights is not None
    limit = no_larger_than(weights) if stored and weights else nullcontext()
    with building(cfg, ''), limit, \
            DefaultScope.overwrite_default_scope(cfg.get('default_scope', SCOPE)):
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
    model = revert_sync_batchnorm(model)
    if stored:
        with building(cfg, ''):
            try_out(cfg, model)
    return model


@contextmanager
def no_larger_than(weights: str) -> Iterator[None]:
    """Refuse to build a model that has far more parameters than its checkpoint can hold.

    Args:
        weights: Path or address of the checkpoint.

    Raises:
        ValueError: While a model is built that has more than four for each byte; some are not
            stored, and numbers of a byte stand for larger ones.
    """
    path = Path(located(weights))
    size = path.stat().st_size if path.is_file() else 0
    left = 4 * size + (1 << 24)

    def count(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal left
        left -= 0 if parameter is None else parameter.numel()
        if left < 0:
            raise ValueError(f"it asks for more parameters than '{weights}' can hold in its "
                             f'{size:,} bytes')
    handle = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()


def try_out(cfg: Config, model: nn.Module) -> None:
    """Predict a small image, so that settings that only predictions read are looked at, too.

    Args:
        cfg: Config of the model.
        model: The model, on the CPU.
    """
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', SCOPE)):
        pipeline = ImagePipeline(cfg)
    blank = np.zeros((_TRIED, _TRIED, 3), np.uint8)
    packed = pipeline.pack(pipeline.load(blank, 0), make_prompt(['thing']))
    sample = packed['data_samples']
    # the pipeline may have enlarged it
    packed['inputs'] = packed['inputs'][:, :_TRIED, :_TRIED]
    sample.set_metainfo(dict(img_shape=tuple(min(s, _TRIED) for s in sample.img_shape[:2])))
    training = model.training
    model.eval().test_step(pseudo_collate([packed]))  # type: ignore[operator]  # of a detector
    model.train(training)


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
        dataset_config = member_configs(dataset_config)[member]
    init_default_scope(config.get('default_scope', 'glip_mm'))
    return DATASETS.build(dataset_config)
