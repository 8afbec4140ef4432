"""Marks, and the rule that no test asks a hub for anything."""

import os

import pytest

# read by huggingface_hub when it is first imported
os.environ['HF_HUB_OFFLINE'] = '1'
os.environ['TRANSFORMERS_OFFLINE'] = '1'


def pytest_configure(config):
    """Import the package before MMCV and MMDetection, which tests import by themselves."""
    # the process that hands tests to others runs none
    if hasattr(config, 'workerinput') or not config.getoption('numprocesses', None):
        import glip_mm  # noqa: F401


@pytest.fixture
def logged(monkeypatch):
    """Warnings of the log, as text."""
    from mmengine.logging import MMLogger
    messages = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'warning',
                        lambda text, *words: messages.append(text % words))
    return messages


def pytest_collection_modifyitems(items):
    if not any(item.get_closest_marker('gpu') for item in items):
        return
    import torch
    if torch.cuda.is_available():
        return
    skip = pytest.mark.skip(reason='needs a CUDA device')
    for item in items:
        if item.get_closest_marker('gpu'):
            item.add_marker(skip)
