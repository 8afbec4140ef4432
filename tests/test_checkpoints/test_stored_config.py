"""The config in a checkpoint is read and never run."""

import pytest
from mmengine.config import Config

from glip_mm.checkpoints import stored_config


def test_what_mmengine_writes_is_read(tmp_path):
    config = Config(dict(
        model=dict(type='GLIP', sizes=(1, -2.5), names={'a b': None}, heads=[dict(n=1), []]),
        work_dir='w', load_from='x.pth', resume=True, launcher='none'))
    found = stored_config(dict(meta=dict(cfg=config.pretty_text)))
    assert found == dict(model=config.model.to_dict())
    assert stored_config(dict(meta=dict(cfg=config.to_dict()))) == found
    for empty in ({}, dict(meta={}), dict(meta=[1]), dict(meta=dict(cfg=''))):
        assert stored_config(empty) is None


@pytest.mark.parametrize('text', [
    'a = open("x")', 'import os', 'a = [', 'a.b = 1', 'a = dict(**b)', 'a = {**b}', 'a = f"{b}"',
    'a = ' + '[' * 5000, 'a = ' + '-' * 9000 + '1', 'a\0', 7, [1], b'\xff', 'a = {[]: 1}',
    'a = dict(1)', 'a = dict([1])'])
def test_nothing_is_run(text):
    with pytest.raises(ValueError, match='not one of values alone'):
        stored_config(dict(meta=dict(cfg=text)))
