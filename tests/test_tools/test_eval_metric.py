"""Predictions of a test are scored again, or handed over, without the model."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from glip_mm.evaluation.predictions import Prediction, PredictionWriter

TOOL = Path(__file__).parents[2] / 'tools/analysis_tools/eval_metric.py'
CONFIG = '''
default_scope = 'glip_mm'
test_dataloader = dict(dataset=dict(
    type='CocoDataset', data_root='{root}/', ann_file='a.json', data_prefix=dict(img=''),
    metainfo=dict(classes=('cat', 'dog')), test_mode=True, pipeline=[]))
test_evaluator = dict(type='CocoMetric', metric='bbox', ann_file='{root}/a.json')
'''


@pytest.fixture
def result(tmp_path):
    boxes = {0: [[2, 3, 12, 13]], 1: [[5, 5, 25, 35]]}
    (tmp_path / 'a.json').write_text(json.dumps(dict(
        images=[dict(id=10 + i, file_name=f'{i}.jpg', width=50, height=40) for i in range(2)],
        annotations=[dict(id=i + 1, image_id=10 + i, category_id=(4, 9)[i], iscrowd=0,
                          bbox=[x1, y1, x2 - x1, y2 - y1], area=(x2 - x1) * (y2 - y1))
                     for i, ((x1, y1, x2, y2), ) in boxes.items()],
        categories=[dict(id=4, name='cat'), dict(id=9, name='dog')])))
    folder = tmp_path / 'result'
    folder.mkdir()
    (folder / 'config.py').write_text(CONFIG.format(root=tmp_path))
    write(folder, boxes)
    return folder


def write(folder, boxes, labels=(0, 1)):
    meta = dict(num_images=2, datasets=[dict(
        name='set', ann_file=str(folder.parent / 'a.json'), img_prefix='', num_images=2,
        classes=['cat', 'dog'])])
    writer = PredictionWriter(folder / 'predictions', meta)
    for i, own in boxes.items():
        writer.add(Prediction(i, 10 + i, f'{i}.jpg', (40, 50), np.float32(own),
                              np.float32([0.5]), np.int32([labels[i]]), None))
    writer.close()


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, arguments)])
    runpy.run_path(str(TOOL), run_name='__main__')


def test_scored_again(result, monkeypatch):
    run(monkeypatch, result)
    content = json.loads((result / 'metrics.json').read_text())
    assert content['metrics']['coco/bbox_mAP'] == 1
    assert content['datasets'][0]['classes'] == ['cat', 'dog']
    content.update(seconds=77., checkpoint='a.pth')
    (result / 'metrics.json').write_text(json.dumps(content))
    run(monkeypatch, result)
    again = json.loads((result / 'metrics.json').read_text())
    assert (again['seconds'], again['checkpoint']) == (77., 'a.pth')


def test_by_another_metric_and_elsewhere(result, monkeypatch, tmp_path):
    other = tmp_path / 'other.py'
    other.write_text((result / 'config.py').read_text().replace(
        "test_evaluator = dict(", "test_evaluator = dict(prefix='mine', "))
    run(monkeypatch, result, other, '--out', tmp_path / 'elsewhere')
    assert 'mine/bbox_mAP' in json.loads(
        (tmp_path / 'elsewhere/metrics.json').read_text())['metrics']
    assert not (result / 'metrics.json').exists()


def test_the_leaderboard_gets_category_ids_and_widths(result, monkeypatch, tmp_path):
    run(monkeypatch, result, '--leaderboard', tmp_path / 'l.json', '--model-name', 'nano')
    row, = json.loads((tmp_path / 'l.json').read_text())['data']
    assert (row['model_name'], row['dataset_name']) == ('nano', 'set')
    assert row['predictions'] == [[
        dict(image_id=10, category_id=4, bbox=[2, 3, 10, 10], score=0.5),
        dict(image_id=11, category_id=9, bbox=[5, 5, 20, 30], score=0.5)]]


def test_what_is_missing_is_named(result, monkeypatch, capsys, tmp_path):
    for path in (result / 'predictions').glob('part-*'):
        path.unlink()
    write(result, {0: [[2, 3, 12, 13]]})
    with pytest.raises(SystemExit):
        run(monkeypatch, result)
    assert 'lacks 1 of 2 images, the first at position 1' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run(monkeypatch, result, '--leaderboard', tmp_path / 'l.json')
    assert 'lacks 1 images' in capsys.readouterr().err
    (result / 'config.py').unlink()
    with pytest.raises(SystemExit):
        run(monkeypatch, result)
    assert "config.py' is missing (the test did not finish)" in capsys.readouterr().err


@pytest.mark.parametrize('content', [
    b'', b'[]', b'{"metrics": 3}', b'{"metrics": {"a": 1}, "datasets": 3}',
    b'{"metrics": {"a": 1}, "datasets": [{}]}', b'{"metrics": {"a": 1}, "seconds": []}',
    b'{"metrics": {"a": 1}, "expected": 7}', b'[' * 100_000,
    b'{"metrics": {"a": ' + b'9' * 400 + b'}}'])
def test_results_that_are_damaged_are_named(tmp_path, content):
    from glip_mm.evaluation.analysis.results import _read_run
    (tmp_path / 'metrics.json').write_bytes(content)
    with pytest.raises(ValueError, match=r"metrics.json' is no metrics.json of tools/test.py \("):
        _read_run(tmp_path)


def test_another_number_of_images_is_that_of_the_file(result, monkeypatch, capsys):
    path = result / 'predictions' / 'meta.json'
    path.write_text(json.dumps(dict(json.loads(path.read_text()), num_images=3)))
    with pytest.raises(SystemExit):
        run(monkeypatch, result)
    assert f"has 2 images, the predictions are of 3, as '{path}' says" in (
        capsys.readouterr().err)
