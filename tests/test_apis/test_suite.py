"""Folders in COCO format become one test."""

import csv
import json
import runpy
import sys

import pytest
from mmengine.config import Config
from PIL import Image

from glip_mm.apis.suite import find_datasets, present_part, suite_config
from glip_mm.visualization.suite_chart import draw_suite
from tests.test_package.test_import import ROOT


def write(ann_file, images, categories=((1, 'cat'), (2, 'dog')), **category):
    ann_file.parent.mkdir(parents=True, exist_ok=True)
    images.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', (80, 60), 'gray').save(images / 'a.jpg')
    ann_file.write_text(json.dumps(dict(
        images=[dict(id=1, file_name='a.jpg', width=80, height=60)],
        annotations=[dict(id=1, image_id=1, category_id=1, bbox=[5, 5, 30, 20], area=600,
                          iscrowd=0)],
        categories=[dict(id=i, name=n, **category) for i, n in categories])))


@pytest.mark.parametrize('ann_file, images', [
    ('test.json', 'images'), ('test/_annotations.coco.json', 'test'),
    ('annotations/instances_test2017.json', 'test2017'), ('annotations/test.json', 'images/test'),
    ('test/annotations_without_background.json', 'test'),
    ('test_annotations_without_background.json', '.'), ('test/annotations.json', 'test/images')])
def test_usual_layouts(tmp_path, ann_file, images):
    write(tmp_path / 'pets' / ann_file, tmp_path / 'pets' / images)
    # from the folder, and from the one above
    for path in (tmp_path / 'pets', tmp_path):
        found, = find_datasets([str(path)], 'test')
        assert found.name == 'pets' and found.classes == ('cat', 'dog')
        assert (found.images / 'a.jpg').is_file() and found.num_images == 1


def test_folders_of_folders_and_single_files(tmp_path):
    for name in ('b', 'a', 'deep/c'):
        write(tmp_path / name / 'valid' / '_annotations.coco.json', tmp_path / name / 'valid')
    assert [d.name for d in find_datasets([str(tmp_path)], 'val')] == ['a', 'b', 'deep_c']
    single = tmp_path / 'a/valid/_annotations.coco.json'
    assert find_datasets([str(single)], 'val')[0].ann_file == single
    with pytest.raises(ValueError, match=r"\['a'\]"):
        find_datasets([str(tmp_path), str(tmp_path / 'a')], 'val')
    with pytest.raises(FileNotFoundError, match="of split 'test'"):
        find_datasets([str(tmp_path)], 'test')
    (tmp_path / 'b/valid/a.jpg').unlink()
    with pytest.raises(FileNotFoundError, match="'a.jpg' is nowhere below"):
        find_datasets([str(tmp_path)], 'val')


def test_roboflow_category_zero_is_no_class(tmp_path):
    write(tmp_path / 'test.json', tmp_path, ((0, 'pets'), (1, 'cat'), (2, 'dog')),
          supercategory='pets')
    assert find_datasets([str(tmp_path)])[0].classes == ('cat', 'dog')
    write(tmp_path / 'test.json', tmp_path, ((0, 'bird'), (1, 'cat')), supercategory='animal')
    assert find_datasets([str(tmp_path)])[0].classes == ('bird', 'cat')


def test_config_of_a_suite(tmp_path):
    for name in ('a', 'b'):
        write(tmp_path / name / 'test.json', tmp_path / name / 'images')
    prompts = tmp_path / 'prompts.json'
    prompts.write_text('{"b": {"dog": {"suffix": " with a tail"}}}')
    base = Config.fromfile(ROOT / 'configs/glip/glip_swin-t_o365.py')
    datasets = find_datasets([str(tmp_path)])
    config = suite_config(base, datasets, str(prompts))
    first, second = config.test_dataloader.dataset.datasets
    assert first.caption_prompt is None and second.caption_prompt.dog.suffix == ' with a tail'
    pipeline = config.test_dataloader.dataset.pipeline
    assert 'dataset_name' in pipeline[-1].meta_keys
    assert [s.type for s in pipeline] == [s.type for s in base.test_pipeline]
    assert 'train_dataloader' not in config and 'train_dataloader' in base
    for text, match in (('{"c": {}}', "'c'"), ('{"a": {"cow": {}}}', "'cow'"), ('{', 'is no JSON')):
        prompts.write_text(text)
        with pytest.raises(ValueError, match=match):
            suite_config(base, datasets, str(prompts))


def test_part_of_odinw(tmp_path):
    config = Config.fromfile(ROOT / 'configs/odinw/glip_swin-t_o365-goldg_odinw13.py')
    with pytest.raises(FileNotFoundError, match='no data set of the suite'):
        present_part(config)
    write(tmp_path / 'a.json', tmp_path)
    config.test_evaluator.datasets['pothole'] = str(tmp_path / 'a.json')
    assert len(present_part(config)) == 12
    assert [d.dataset_name for d in config.test_dataloader.dataset.datasets] == ['pothole']
    assert config.test_evaluator.suite_size == 13 and len(config.test_evaluator.datasets) == 1


def test_chart(tmp_path):
    draw_suite([('a', .5), ('b', float('nan'))], str(tmp_path / 'a.png'), 'title')
    assert Image.open(tmp_path / 'a.png').width == 1040
    with pytest.raises(ValueError, match='at least one'):
        draw_suite([], str(tmp_path / 'b.png'))


def test_tool(tmp_path, config, checkpoint, monkeypatch):
    for name in ('a', 'b'):
        write(tmp_path / name / 'test.json', tmp_path / name / 'images')
    settings = config.to_dict()
    settings['test_dataloader'].update(num_workers=0, batch_size=1)
    (tmp_path / 'config.py').write_text(Config(settings).pretty_text)
    out = tmp_path / 'out'
    monkeypatch.setattr(sys, 'argv', [
        'test_suite.py', str(tmp_path / 'config.py'), checkpoint, str(tmp_path / 'a'),
        str(tmp_path / 'b'), '--work-dir', str(out)])
    runpy.run_path(str(ROOT / 'tools/test_suite.py'), run_name='__main__')
    rows = list(csv.DictReader(open(out / 'suite.csv')))
    assert [r['name'] for r in rows] == ['a', 'b'] and all(r['AP'] for r in rows)
    assert (out / 'suite.png').is_file()


@pytest.mark.parametrize('options, message', [
    (['nowhere'], "'nowhere' does not exist"), ([], 'tests no suite'),
    (['--prompts', 'x.json'], 'is for folders')])
def test_tool_says_what_is_wrong(tmp_path, config, checkpoint, monkeypatch, capsys, options,
                                 message):
    (tmp_path / 'config.py').write_text(config.pretty_text + "\ntest_evaluator = dict(type='X')\n")
    monkeypatch.setattr(sys, 'argv', ['x', str(tmp_path / 'config.py'), checkpoint, *options])
    with pytest.raises(SystemExit):
        runpy.run_path(str(ROOT / 'tools/test_suite.py'), run_name='__main__')
    assert message in capsys.readouterr().err
