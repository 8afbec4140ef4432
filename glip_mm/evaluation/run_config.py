"""The config in the folder of a run, which may come from anywhere: read as values alone."""

from pathlib import Path

from mmengine.config import Config

from glip_mm.checkpoints.stored_config import read_values
from glip_mm.datasets.data_error import read_text
from glip_mm.safe_config import check_test


def read_run_config(path: str | Path) -> Config:
    """Read a config that a test wrote, without running it.

    Args:
        path: Its file.

    Returns:
        The whole config; data sets and metrics of the test in it are of registered classes.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds more than values, or its test names anything else.
    """
    source = f"config '{path}'"
    content = read_values(read_text(path), source)
    check_test(content, source)
    return Config(content)
