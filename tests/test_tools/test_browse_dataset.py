"""``tools/analysis_tools/browse_grounding_dataset.py`` on three images."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

TOOL = Path(__file__).parents[2] / 'tools' / 'analysis_tools' / 'browse_grounding_dataset.py'
CONFIG = '''
default_scope = 'glip_mm'
pipeline = [
    dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomFlip', prob=0.5), dict(type='BuildPrompt'),
    dict(type='PackDetInputs', meta_keys=('img_path', 'prompt', 'flip'))]
train_dataloader = dict(dataset=dict(
    type='ODVGDataset', data_root='DATA', ann_file='rows.jsonl', data_prefix=dict(img=''),
    return_classes=True, filter_cfg=dict(filter_empty_gt=False), pipeline=pipeline))
'''


@pytest.fixture(scope='module')
def tool():
    return runpy.run_path(str(TOOL), run_name='tool')


@pytest.fixture
def config(tmp_path):
    rows = []
    for i in range(3):
        pixels = np.full((40, 60, 3), 60 * i, np.uint8)
        pixels[:, :30] += 50
        Image.fromarray(pixels).save(tmp_path / f'{i}.png')
        rows.append(dict(filename=f'{i}.png', height=40, width=60, grounding=dict(
            caption='a dog', regions=[dict(bbox=[2, 2, 20, 20], phrase='a dog',
                                           tokens_positive=[[0, 5]])])))
    (tmp_path / 'rows.jsonl').write_text('\n'.join(map(json.dumps, rows)))
    path = tmp_path / 'config.py'
    path.write_text(CONFIG.replace('DATA', str(tmp_path)))
    return path


def call(tool, monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['browse.py', *map(str, arguments)])
    tool['main']()


def test_folder_of_pictures(tool, monkeypatch, config, tmp_path, capsys):
    out = tmp_path / 'out'
    call(tool, monkeypatch, config, '--index', 0, '1:', '--out-dir', out)
    assert sorted(p.name for p in out.iterdir()) == [
        '000000_0.png', '000001_1.png', '000002_2.png']
    assert '3 samples with 3 boxes' in capsys.readouterr().out
    first = [p.read_bytes() for p in sorted(out.iterdir())]
    # one sample's transforms do not depend on which others are shown
    call(tool, monkeypatch, config, '--index', 2, 0, '--out-dir', tmp_path / 'again')
    assert (tmp_path / 'again' / '000002_2.png').read_bytes() == first[2]
    flips = set()
    for seed in range(6):
        call(tool, monkeypatch, config, '--index', 0, '--seed', seed, '--out-dir', out)
        flips.add((out / '000000_0.png').read_bytes())
    assert len(flips) == 2


@pytest.mark.parametrize('stage', ['raw', 'pipeline'])
def test_page_shows_what_can_be_read(tool, monkeypatch, config, tmp_path, capsys, stage):
    (tmp_path / '1.png').write_bytes(b'no image')
    page = tmp_path / 'page.html'
    call(tool, monkeypatch, config, '--html', page, '--stage', stage)
    text = page.read_text()
    assert text.count('<img') == 2 and 'sample 1' in text and 'class="error"' in text
    said = capsys.readouterr()
    assert '1 failed' in said.out and 'sample 1' in said.err


def test_failure_where_nothing_can_be_read(tool, monkeypatch, config, tmp_path):
    for image in tmp_path.glob('*.png'):
        image.write_bytes(b'no image')
    with pytest.raises(SystemExit) as error:
        call(tool, monkeypatch, config, '--out-dir', tmp_path / 'out')
    assert error.value.code == 1


@pytest.mark.parametrize('more, message', [
    (['--split', 'val'], 'no val_dataloader; --split can be train'),
    (['--index', '3'], 'there are 3 samples, 0 to 2'),
    (['--index', 'x'], "'x' is neither"),
    (['--num', '0'], '--num 0'),
    (['--member', '1'], 'has no members'),
    (['--cfg-options', 'train_dataloader.dataset.ann_file=none.jsonl'], 'none.jsonl'),
])
def test_errors_say_what_to_do(tool, monkeypatch, config, tmp_path, more, message):
    with pytest.raises(SystemExit) as error:
        call(tool, monkeypatch, config, '--html', tmp_path / 'page.html', *more)
    assert message in str(error.value)
    assert not (tmp_path / 'page.html').exists()


def test_random_choice_is_the_same_each_time(tool):
    assert tool['choose'](1000, None, 5, 7) == tool['choose'](1000, None, 5, 7)
    assert tool['choose'](1000, None, 5, 7) != tool['choose'](1000, None, 5, 8)
    assert tool['choose'](3, None, 16, 0) == [0, 1, 2]
