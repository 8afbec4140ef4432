"""List the data sets that a config tests."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glip_mm.datasets.concat_dataset import member_configs
from glip_mm.evaluation.run_config import read_run_config


def config_datasets(path: Path) -> list[Mapping[str, Any]]:
    """List the configs of the tested data sets, those in joining wrappers one by one.

    Args:
        path: File of the config; need not exist.

    Returns:
        As many as the test had, in its order; none without a config.
    """
    if not path.is_file():
        return []
    dataset = read_run_config(path).get('test_dataloader', {}).get('dataset')
    return [] if dataset is None else _members(dataset)


def _members(entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if 'datasets' in entry:
        return [member for part in member_configs(entry) for member in _members(part)]
    return _members(entry['dataset']) if 'dataset' in entry else [entry]
