"""Configs and checkpoints that are wrong end a tool with one line, before a model is built."""

import argparse
import re

import pytest
import torch
from mmengine.config import Config

from glip_mm.apis.launch import build_runner, read_config
from glip_mm.datasets.data_error import DataError


@pytest.mark.parametrize('text, message', [
    ('a = (', 'SyntaxError'), ('a = b', "NameError: name 'b' is not defined"),
    ('raise RuntimeError', 'RuntimeError: no reason given'),
    ("_base_ = 'none.py'", 'needs a file that is missing|cannot be read'),
    ("filename = 'x'", 'reserved'), ('_base_ = 7', 'cannot be read'),
    ("model = [1]", 'has model=.*not a dict'),
    ('model = 3', 'has model=.*not a dict'), ('a = ' + '[' * 300 + ']' * 300, 'cannot be read'),
    ('a = 1/0', 'ZeroDivisionError')])
def test_configs_that_cannot_be_read(tmp_path, capsys, text, message):
    (tmp_path / 'a.py').write_text(text)
    with pytest.raises(SystemExit):
        read_config(argparse.ArgumentParser(prog='x'), tmp_path / 'a.py')
    error = capsys.readouterr().err
    assert 'Traceback' not in error and 'a.py' in error.splitlines()[-1]
    assert re.search(message, error), error


@pytest.mark.parametrize('model, message', [
    (dict(type='Nothing'), 'Nothing'),
    (dict(type='GLIP'), 'missing .* required positional argument'),
    (dict(), 'type'), (dict(type=7), 'type must be')])
def test_configs_that_cannot_be_built(tmp_path, model, message):
    config = Config(dict(default_scope='glip_mm', model=model, work_dir=str(tmp_path)))
    with pytest.raises(DataError, match=f"config '.*' cannot be built: .*{message}.*--verbose"):
        build_runner(config)
    config.verbose = True
    with pytest.raises((KeyError, RuntimeError, TypeError)):
        build_runner(config)


@pytest.mark.parametrize('content, resume', [
    (b'junk', False), (b'', False), (b'PK\x03\x04' + bytes(99), False), ([1], False),
    (dict(state_dict=dict(w=torch.zeros(1))), True)])
def test_checkpoints_are_looked_at_first(tmp_path, content, resume):
    path = tmp_path / 'a.pth'
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    config = Config(dict(model=dict(type='Nothing'), load_from=str(path), resume=resume,
                         work_dir=str(tmp_path)))
    with pytest.raises(DataError, match="^checkpoint '.*a.pth'") as error:
        build_runner(config)
    assert 'weights_only' not in str(error.value) and '\n' not in str(error.value)
