"""Shared parts of ``tools/train.py`` and ``tools/test.py``: from options to a runner."""

import argparse
import atexit
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner

from glip_mm.checkpoints.download import DownloadError
from glip_mm.checkpoints.model_index import list_models, located
from glip_mm.checkpoints.reading import check_checkpoint
from glip_mm.compat import distribute_without_gpu
from glip_mm.datasets.data_error import DataError
from glip_mm.engine.runner import ScreenRunner, building
from glip_mm.file_lock import FolderInUse
from glip_mm.registry import RUNNERS, SCOPE
from glip_mm_cli.benchmarks import moved_config
from glip_mm_cli.options import config_file, merge_cfg_options
from glip_mm_cli.training_folder import newest_checkpoint

from .benchmarks import apply_benchmark


def load_config(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Config:
    """Read the config of a run and apply its options.

    Args:
        parser: Parser that reports errors; its ``error`` ends the program.
        args: ``config`` and the options of :func:`glip_mm_cli.options.add_run_options`.

    Returns:
        The config, with ``launcher`` and ``work_dir`` set.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    benchmark, moved = getattr(args, 'benchmark', None), moved_config(args.config)
    if moved and hasattr(args, 'benchmark'):  # training tools have no such option
        benchmark = benchmark or moved[1]
    try:
        path = config_file(args.config)
    except FileNotFoundError as error:
        parser.error(str(error))
    config = read_config(parser, path)
    if not isinstance(config.get('model'), dict):
        parser.error(f"config '{path}' has no model=dict(type=...)")
    if benchmark:
        apply_benchmark(config, benchmark)
        if Path(path).stem in list_models():
            config.setdefault('model_name', Path(path).stem)
    try:
        merge_cfg_options(config, args.cfg_options)
    except ValueError as error:
        parser.error(str(error))
    config.setdefault('default_scope', SCOPE)
    config.launcher = args.launcher
    if args.verbose:
        config.verbose = True
    config.work_dir = args.work_dir or config.get('work_dir') or str(
        Path('work_dirs') / '_'.join(filter(None, (Path(path).stem, benchmark))))
    return config


def read_config(parser: argparse.ArgumentParser, path: str | Path) -> Config:
    """Read a config file; end the program with its name and the cause if that fails."""
    try:
        config = Config.fromfile(path)
    except FileNotFoundError as error:
        parser.error(f"config '{path}' needs a file that is missing: {error}")
    except Exception as error:  # a config is a program, which can raise anything
        parser.error(f"config '{path}' cannot be read: {type(error).__name__}: "
                     f'{_one_line(error)[:400] or "no reason given"}')
    for key in ('model', 'test_dataloader', 'train_dataloader', 'default_hooks'):
        if not isinstance(config.get(key, {}), (dict, type(None))):
            parser.error(f"config '{path}' has {key}={str(config[key])[:80]!r}, not a dict")
    return config


@contextmanager
def clear_end(tool: str) -> Iterator[None]:
    """End the program with the message alone if an error lies in the user's data or settings.

    Args:
        tool: Name of the tool for the message.
    """
    try:
        yield
    except (FolderInUse, DataError, DownloadError, FileNotFoundError) as error:
        text = str(error)
        if 'Original Traceback' in text:  # raised in a data loader worker
            text = text.strip().splitlines()[-1]
        elif isinstance(error, FileNotFoundError) and error.filename:  # the system's own text
            text = (f"'{error.filename}' is not there; docs/evaluation.md and "
                    'docs/data_preparation.md say where data go')
        sys.exit(f'{tool}: {text}')


def build_runner(config: Config) -> Runner:
    """Build the runner of a config: :class:`ScreenRunner`, or the registered ``runner_type``.

    Raises:
        DataError: If the config cannot be built, or its checkpoint is none; with ``verbose`` in the
            config, the original error of the former.
    """
    distribute_without_gpu(config)
    if config.get('resume') and not config.get('load_from'):
        config.load_from = newest_checkpoint(config.work_dir)
        config.resume = config.load_from is not None
    if config.get('load_from'):
        config.load_from = located(config.load_from)
        if Path(config.load_from).exists():
            try:
                check_checkpoint(config.load_from, bool(config.get('resume')))
            except (OSError, ValueError) as error:
                raise DataError(str(error)) from None
    atexit.register(_leave_group)
    with building(config):
        return RUNNERS.build(config) if 'runner_type' in config else ScreenRunner.from_cfg(config)


def _one_line(error: BaseException) -> str:
    return ' '.join(str(error.args[0] if isinstance(error, KeyError) else error).split())


def _leave_group() -> None:
    # threads of the process group can abort a process that exits first, and a wrapped model keeps
    # the group alive
    gc.collect()
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def drawing_hook(config: Config, **settings: object) -> ConfigDict:
    """Enable the config's visualization hook.

    Args:
        config: Config to change in place.
        settings: Arguments of the hook to override.

    Raises:
        KeyError: If the config has no such hook.
    """
    hook = config.get('default_hooks', {}).get('visualization')
    if hook is None:
        raise KeyError("drawing needs default_hooks.visualization=dict(type='DetVisualizationHook')"
                       ' in the config')
    hook.update(draw=True, **settings)
    return hook


def augment_tests(config: Config) -> None:
    """Enable test-time augmentation: wrap the model in ``tta_model`` and use ``tta_pipeline``.

    Args:
        config: Config to change in place.

    Raises:
        KeyError: If the config has no ``tta_model`` or ``tta_pipeline``.
    """
    for key in ('tta_model', 'tta_pipeline'):
        if key not in config:
            raise KeyError(f'--tta needs {key} in the config: for the published one inherit '
                           "'_base_/datasets/multi_scale.py'")
    config.model = ConfigDict(config.tta_model, module=config.model)

    def replace(dataset: ConfigDict) -> None:
        members = dataset.get('datasets') or [dataset[k] for k in ('dataset', ) if k in dataset]
        for member in members:
            replace(member)
        if not members:
            dataset.pipeline = config.tta_pipeline
    replace(config.test_dataloader.dataset)
