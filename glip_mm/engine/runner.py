"""MMEngine's runner with a screen for people."""

import contextlib
import io
import logging
import re
import warnings
from pathlib import Path
from typing import Any, Iterator

from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger, print_log
from mmengine.runner import Runner

from .hooks.progress_hook import ProgressHook

PACKAGE = str(Path(__file__).parents[1])
#: Warnings of MMEngine about its own insides, or about what a config asks for.
EXPECTED = re.compile('is skipped since its requires_grad=False|"FileClient" will be deprecated|'
                      '"HardDiskBackend" is the alias')

#: What MMEngine says and everybody wants to know.
WANTED = re.compile('^resumed epoch|^Load checkpoint from')


def is_for_the_screen(record: logging.LogRecord) -> bool:
    """Pass what glip_mm says and warnings; not MMEngine's environment, config, hooks, intervals."""
    if record.pathname.startswith(PACKAGE) or WANTED.search(record.getMessage()):
        return True
    return record.levelno >= logging.WARNING and not EXPECTED.search(record.getMessage())


@contextlib.contextmanager
def prints_to(logger: logging.Logger) -> Iterator[None]:
    """Send what third-party code prints, such as pycocotools, to the log file."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            yield
    finally:
        text = printed.getvalue().strip()
        if text:
            print_log(text, logger)  # by MMEngine's hand, so that the screen leaves it out


class ScreenRunner(Runner):
    """Shows progress, results and warnings on the screen; the log file holds everything else too.

    ``verbose=True`` in the config shows everything on the screen, as MMEngine does.

    Args:
        *args: And all others: see MMEngine.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.register_hook(ProgressHook())
        if not self.cfg.get('verbose', False):
            # of a wrapped optimizer, whose steps the scheduler cannot see
            warnings.filterwarnings('ignore', message='Seems like `optimizer.step')

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build the logger; on the screen it shows what :func:`is_for_the_screen`."""
        logger = super().build_logger(*args, **kwargs)
        if not self.cfg.get('verbose', False):
            for handler in logger.handlers:
                if type(handler) is logging.StreamHandler:  # not a file's
                    handler.addFilter(is_for_the_screen)
        return logger

    def build_evaluator(self, evaluator: Any) -> Evaluator:
        """Build the evaluator; what metrics print goes to the log."""
        with prints_to(self.logger):
            built = super().build_evaluator(evaluator)
        evaluate = built.evaluate

        def evaluate_quietly(size: int) -> dict:
            with prints_to(self.logger):
                return evaluate(size)

        built.evaluate = evaluate_quietly
        return built

    def build_train_loop(self, loop: Any) -> Any:
        """Build the loop and its data; what is printed meanwhile goes to the log."""
        with prints_to(self.logger):
            return super().build_train_loop(loop)

    def build_val_loop(self, loop: Any) -> Any:
        """Build the loop and its data; what is printed meanwhile goes to the log."""
        with prints_to(self.logger):
            return super().build_val_loop(loop)

    def build_test_loop(self, loop: Any) -> Any:
        """Build the loop and its data; what is printed meanwhile goes to the log."""
        with prints_to(self.logger):
            return super().build_test_loop(loop)
