"""What tuning costs."""

import json

import pytest
from mmengine.config import Config

from glip_mm.apis.repeated_tests import Task
from glip_mm.finetuning import retention
from glip_mm.finetuning.retention import BASE, measure_retention, write_retention

SCORES = {('own', 'base.pth'): .1, ('words', 'base.pth'): .8, ('words', 'tuned.pth'): .5}


@pytest.mark.parametrize('tuning', ['full', 'lora'])
def test_before_and_after(tmp_path, monkeypatch, tuning):
    seen = []

    def test_once(config, checkpoint, folder):
        seen.append((folder.relative_to(tmp_path).as_posix(), config.model.get('tuning')))
        return dict(ap=SCORES[folder.name, checkpoint])
    monkeypatch.setattr(retention, 'test_once', test_once)
    own, words = (Task(n, Config(dict(model=dict(type='GLIP'))), 'ap') for n in ('own', 'words'))
    values = measure_retention(own, [words], tuning, 'base.pth', {'seed 3': ('tuned.pth', .6)},
                               tmp_path)
    assert values == {'own': {BASE: .1, 'seed 3': .6}, 'words': {BASE: .8, 'seed 3': .5}}
    # only adapters need a place in the model
    assert seen == [('before_tuning/own', None), ('before_tuning/words', None),
                    ('seed_3/words', 'lora' if tuning == 'lora' else None)]
    table = write_retention(values, tmp_path)
    assert table.splitlines()[2:] == ['| before tuning | 10.0 | 80.0 |',
                                      '| seed 3 | 60.0 (+50.0) | 50.0 (-30.0) |']
    assert json.loads((tmp_path / 'retention.json').read_text()) == values
    assert (tmp_path / 'retention.png').stat().st_size > 5000
