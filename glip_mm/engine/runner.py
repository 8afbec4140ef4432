"""MMEngine's runners with concise screen output."""

import contextlib
import io
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from mmengine._strategy import BaseStrategy
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger, print_log
from mmengine.runner import BaseLoop, FlexibleRunner, Runner
from torch.utils.data import DataLoader

from glip_mm.datasets.data_error import DataError
from glip_mm.evaluation.scoring import write_into
from glip_mm.registry import OPTIMIZERS, RUNNERS

from .hooks.progress_hook import ProgressHook
from .patience import wait_for_metrics

PACKAGE = str(Path(__file__).parents[1])
#: Expected warnings of MMEngine about its internals, or about settings of the config.
EXPECTED = re.compile('is skipped since its requires_grad=False|"FileClient" will be deprecated|'
                      '"HardDiskBackend" is the alias')

#: MMEngine's messages that are shown on the screen.
WANTED = re.compile('^resumed epoch|^Load checkpoint from')

#: Limits of the screen output: length of a list, characters per line, lines of a note.
LONG_LIST = re.compile(r"(\[[^\[\]]{80}[^\[\],]*)(?:,[^\[\]]*)\]")
WIDTH, LINES = 160, 4


def is_for_the_screen(record: logging.LogRecord) -> bool:
    """Select glip_mm's messages and warnings, without MMEngine's environment, config and hooks."""
    if record.pathname.startswith(PACKAGE) or WANTED.search(record.getMessage()):
        return True
    return record.levelno >= logging.WARNING and not EXPECTED.search(record.getMessage())


class ScreenFormatter(logging.Formatter):
    """Shortens lists of names and long notes; the log file holds the full text.

    Args:
        full: Formatter of the log file.
    """

    def __init__(self, full: logging.Formatter) -> None:
        super().__init__()
        self.full = full

    def format(self, record: logging.LogRecord) -> str:
        """Format a record; errors are not shortened."""
        text = self.full.format(record)
        if record.levelno >= logging.ERROR:
            return text
        text = LONG_LIST.sub(lambda found: f'{found[1]}, ...]', text)
        if record.levelno >= logging.WARNING or 'preflight' not in record.pathname:
            return text  # tables of results are what a person wants to see
        lines = [line if len(line) <= WIDTH else f'{line[:WIDTH]}...' for line in text.splitlines()]
        if len(lines) > LINES:
            lines[LINES - 1:] = [f'  ... {len(lines) - LINES + 1} more lines in the log file']
        return '\n'.join(lines)


@contextlib.contextmanager
def no_stderr() -> Iterator[None]:
    """Suppress shell messages about missing compilers while the environment is collected."""
    sys.stderr.flush()
    with open(os.devnull, 'wb') as nowhere:
        kept = os.dup(2)
        try:
            os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@contextlib.contextmanager
def prints_to(logger: logging.Logger) -> Iterator[None]:
    """Redirect the output of third-party code, such as pycocotools, to the log file."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            yield
    finally:
        text = printed.getvalue().strip()
        if text:
            print_log(text, logger)  # through MMEngine, so that the screen filters it out


@contextlib.contextmanager
def building(config: Config, hint: str = ' (--verbose shows where)') -> Iterator[None]:
    """Build a part of a config; what its settings make go wrong becomes one message.

    Args:
        config: The config; with ``verbose`` in it, the original error is raised.
        hint: End of the message.

    Raises:
        DataError: If the part cannot be built.
    """
    try:
        yield
    except (DataError, OSError):
        raise
    except Exception as error:  # classes raise what they like about a setting
        if config.get('verbose'):
            raise
        reason = ' '.join(str(error.args[0] if error.args else error).split())[:400]
        if reason.startswith('Failed to get '):  # of a registry
            reason = f"no class is called '{reason.removeprefix('Failed to get ')}'"
        raise DataError(f"config '{config.filename or ''}' cannot be built: "
                        f'{type(error).__name__}: {reason}{hint}') from error


def _check_optimizer(config: Any) -> None:
    """Name a class that is missing, of which MMEngine says that None is not callable."""
    optimizer = config.get('optimizer') if isinstance(config, dict) else None
    name = optimizer.get('type') if isinstance(optimizer, dict) else None
    if isinstance(name, str):
        with OPTIMIZERS.switch_scope_and_registry(None) as registry:
            if registry.get(name) is None:
                raise KeyError(f"no class is called '{name}'")


_Runner: Any = object  # Runner or FlexibleRunner, whichever it is mixed into


class ScreenMixin(_Runner):
    """Shows progress, results and warnings on the screen; the log file holds everything else too.

    ``verbose=True`` in the config shows everything on the screen, as MMEngine does.

    Args:
        *args: Arguments of the runner of MMEngine that it is mixed into.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        wait_for_metrics()
        self.register_hook(ProgressHook())
        if not self.cfg.get('verbose', False):
            # the scheduler cannot see the steps of a wrapped optimizer
            warnings.filterwarnings('ignore', message='Seems like `optimizer.step')

    def _quieten(self, logger: MMLogger) -> None:
        for handler in logger.handlers:
            if isinstance(handler, logging.FileHandler) and handler.stream:
                # names of files may be no UTF-8
                handler.stream.reconfigure(encoding='utf-8', errors='backslashreplace')
        if not self.cfg.get('verbose', False):
            for handler in logger.handlers:
                if type(handler) is logging.StreamHandler:  # not a file handler
                    handler.addFilter(is_for_the_screen)
                    full = handler.formatter or logging.Formatter()
                    handler.setFormatter(ScreenFormatter(full))

    def _log_env(self, *args: Any) -> None:
        with no_stderr():
            super()._log_env(*args)

    def build_evaluator(self, evaluator: Any) -> Evaluator:
        """Build the evaluator; the output of metrics goes to the log."""
        with prints_to(self.logger):
            built = super().build_evaluator(evaluator)
        write_into(built, self.work_dir)
        evaluate = built.evaluate

        def evaluate_quietly(size: int) -> dict:
            with prints_to(self.logger):
                return evaluate(size)

        built.evaluate = evaluate_quietly
        return built

    def load_checkpoint(self, *args: Any, **kwargs: Any) -> Any:
        """Load a checkpoint; the output of its reader goes to the log.

        Raises:
            DataError: If the file is damaged, no checkpoint, or of another model.
        """
        try:
            with prints_to(self.logger):
                return super().load_checkpoint(*args, **kwargs)
        except (EOFError, KeyError, RuntimeError, UnpicklingError, ValueError) as error:
            if isinstance(error, (EOFError, UnpicklingError)):
                # PyTorch's own message recommends unsafe loading
                text = 'it is damaged, no checkpoint, or holds objects that could run code'
            else:
                text = error.args[0] if error.args and isinstance(error.args[0], str) else (
                    f'it is no checkpoint ({error!r})')
            file = args[0] if args else kwargs.get('filename')
            raise DataError(f"checkpoint '{file}' cannot be loaded: {text}") from error

    def build_dataloader(self, *args: Any, **kwargs: Any) -> DataLoader:
        """Build a data loader; its data set's output goes to the log."""
        with prints_to(self.logger):
            return super().build_dataloader(*args, **kwargs)

    def build_optim_wrapper(self, *args: Any) -> Any:
        """Build the optimizer and its wrapper; see :meth:`build_train_loop`."""
        with building(self.cfg):
            _check_optimizer(*args)
            return super().build_optim_wrapper(*args)

    def build_param_scheduler(self, *args: Any) -> Any:
        """Build the schedules; see :meth:`build_train_loop`."""
        with building(self.cfg):
            return super().build_param_scheduler(*args)

    def build_train_loop(self, *args: Any) -> BaseLoop:
        """Build the loop of training with its data.

        Raises:
            DataError: If a setting is wrong.
        """
        with building(self.cfg):
            return super().build_train_loop(*args)

    def build_val_loop(self, *args: Any) -> BaseLoop:
        """Build the loop of validation with its data; see :meth:`build_train_loop`."""
        with building(self.cfg):
            return super().build_val_loop(*args)

    def build_test_loop(self, *args: Any) -> BaseLoop:
        """Build the loop of testing with its data; see :meth:`build_train_loop`."""
        with building(self.cfg):
            return super().build_test_loop(*args)


@RUNNERS.register_module()
class ScreenRunner(ScreenMixin, Runner):
    """MMEngine's ``Runner`` with concise screen output."""

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build the logger; the screen shows the records of :func:`is_for_the_screen`."""
        logger = super().build_logger(*args, **kwargs)
        self._quieten(logger)
        return logger

    def _maybe_compile(self, target: str) -> None:
        if target == 'train_step' and self.cfg.get('compile'):
            # Dynamo stumbles over optimizers such as AdamW, and gains nothing in their steps
            wrapper = self.optim_wrapper
            wrapper.update_params = torch.compiler.disable(wrapper.update_params)
        super()._maybe_compile(target)


@RUNNERS.register_module()
class ScreenFlexibleRunner(ScreenMixin, FlexibleRunner):
    """MMEngine's ``FlexibleRunner``, which FSDP and DeepSpeed need, with concise screen output."""

    def build_strategy(self, *args: Any, **kwargs: Any) -> BaseStrategy:
        """Build the strategy, which creates the logger, and later model and optimizer."""
        strategy = super().build_strategy(*args, **kwargs)
        self._quieten(strategy.logger)
        prepare = strategy.prepare

        def prepare_clearly(*args: Any, **kwargs: Any) -> Any:
            with building(self.cfg):
                _check_optimizer(kwargs.get('optim_wrapper'))
                return prepare(*args, **kwargs)

        strategy.prepare = prepare_clearly
        return strategy
