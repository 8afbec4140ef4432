"""A test that would give wrong numbers says so before its first image, with both sides."""

import json
import re

import numpy as np
import pytest
import torch
from mmdet.evaluation import CocoMetric
from mmengine.registry import DefaultScope
from PIL import Image

from glip_mm.evaluation.metrics import CocoMetric as OurCocoMetric
from glip_mm.evaluation.metrics import LVISFixedAPMetric, ODinWMetric
from glip_mm.evaluation.preflight import check_test, look
from glip_mm.evaluation.tested_datasets import tested_datasets as datasets_of
from glip_mm.models.dense_heads import PredictionSettings
from glip_mm.models.detectors.prompt_batch import PromptBatcher
from glip_mm.registry import DATASETS
from tests.test_models.nano import build_nano, write_tiny_bert

CATEGORIES = [dict(id=3, name='cat'), dict(id=7, name='dog'), dict(id=9, name='car')]
KEYS = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'text',
        'custom_entities')
PIPELINE = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True),
            dict(type='PackDetInputs', meta_keys=KEYS)]


def write(folder, name='a.json', categories=CATEGORIES, boxes=(3, 7, 9), images=2):
    folder.mkdir(exist_ok=True)
    for i in range(images):
        Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(folder / f'{i}.jpg')
    (folder / name).write_text(json.dumps(dict(
        images=[dict(id=i, file_name=f'{i}.jpg', width=20, height=20) for i in range(images)],
        annotations=[dict(id=i + 1, image_id=0, category_id=c, bbox=[1, 1, 5, 5], area=25,
                          iscrowd=0) for i, c in enumerate(boxes)],
        categories=categories)))
    return folder / name


def build(path, classes=('cat', 'dog', 'car'), **options):
    with DefaultScope.overwrite_default_scope('glip_mm'):
        dataset = DATASETS.build(dict(dict(
            type='CocoDataset', data_root=str(path.parent), ann_file=path.name,
            data_prefix=dict(img=''), metainfo=dict(classes=classes), test_mode=True,
            return_classes=True, pipeline=PIPELINE), **options))
    return datasets_of(dataset)


class Evaluator:
    def __init__(self, *metrics):
        self.metrics = metrics


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    return build_nano(write_tiny_bert(tmp_path_factory.mktemp('bert')))


def test_a_good_test_is_logged_in_full(model, tmp_path):
    path = write(tmp_path / 'set')
    findings = look(build(path), Evaluator(CocoMetric(ann_file=str(path))), model)
    assert (findings.errors, findings.warnings) == ([], [])
    assert re.fullmatch(".*: 2 images, one prompt of 3 classes, [0-9]+ tokens: 'cat. dog. car'",
                        findings.notes[0])
    model.test_cfg = model.test_cfg.replace(chunked_size=2)
    try:
        notes = look(build(path), Evaluator(), model).notes[0]
    finally:
        model.test_cfg = model.test_cfg.replace(chunked_size=-1)
    assert "of 3 classes in 2 chunks" in notes
    assert "chunk 1: 2 names" in notes and "'cat. dog'" in notes and "chunk 2: 1 names" in notes


def test_classes_that_the_file_does_not_have(model, tmp_path):
    datasets = build(write(tmp_path / 'set'), classes=('cat', 'wolf', 'car'))
    with pytest.raises(ValueError) as error:
        check_test(datasets, Evaluator(), model)
    text = str(error.value)
    assert "['cat', 'wolf', 'car']" in text and "['cat', 'dog', 'car']" in text
    assert "preflight='warn'" in text
    check_test(datasets, Evaluator(), model, strict=False)


def test_classes_in_another_order(model, tmp_path):
    found = look(build(write(tmp_path / 'set'), classes=('dog', 'cat', 'car')), Evaluator(), model)
    assert "from label 0 on: 'dog' against 'cat'" in found.errors[0]


def test_return_classes_is_missing(model, tmp_path):
    found = look(build(write(tmp_path / 'set'), return_classes=False), Evaluator(), model)
    assert 'the model is not told what to look for' in found.errors[0]
    assert "['cat', 'dog', 'car']" in found.errors[0]


def test_classes_without_boxes_and_boxes_without_classes(model, tmp_path):
    path = write(tmp_path / 'set', boxes=(3, 9))
    found = look(build(path), Evaluator(), model)
    assert found.errors == [] and "1 of 3 classes have no boxes and count in no mean: ['dog']" in \
        '\n'.join(found.notes)
    found = look(build(path, classes=('cat', 'dog')), Evaluator(), model)
    assert "boxes of 1 categories that are not tested: ['car']" in found.warnings[0]
    found = look(build(write(tmp_path / 'none', boxes=())), Evaluator(), model)
    assert 'has no box of any class' in found.errors[0]


def test_the_metric_reads_another_file(model, tmp_path):
    datasets = build(write(tmp_path / 'set'))
    fewer = write(tmp_path / 'set', 'fewer.json', images=1)
    found = look(datasets, Evaluator(CocoMetric(ann_file=str(fewer))), model)
    assert 'other images than the data set' in found.errors[0]
    named = write(tmp_path / 'set', 'named.json', [dict(CATEGORIES[0], name='lion'),
                                                   *CATEGORIES[1:]])
    found = look(datasets, Evaluator(CocoMetric(ann_file=str(named))), model)
    assert "only in metric: ['3 lion']" in found.errors[0]


def test_a_metric_without_a_file_and_samples_without_truth(model, tmp_path):
    """It would end the run at the first test, maybe after hours of training."""
    path = write(tmp_path / 'set')
    for metric in (CocoMetric(), OurCocoMetric()):
        found = look(build(path), Evaluator(metric), model)
        assert found.errors == [
            'a: CocoMetric has no annotation file, and the samples '
            "bring no ground truth ('instances' is in no meta_keys of the pipeline): give it "
            f"ann_file='{path}'"]
    with_truth = [*PIPELINE[:-1], dict(PIPELINE[-1], meta_keys=(*KEYS, 'instances'))]
    assert not look(build(path, pipeline=with_truth), Evaluator(CocoMetric()), model).errors

    class Theirs(CocoMetric):
        def process(self, data_batch, data_samples):
            """Know the truth in another way."""

    assert not look(build(path), Evaluator(Theirs()), model).errors


def lvis(folder, name, categories=CATEGORIES, images=2):
    path = write(folder, name, [dict(c, frequency='f') for c in categories], images=images)
    content = json.loads(path.read_text())
    for image in content['images']:
        image.update(neg_category_ids=[], not_exhaustive_category_ids=[])
    path.write_text(json.dumps(content))
    return path


def test_the_lvis_metric_reads_another_file(model, tmp_path):
    same = lvis(tmp_path / 'set', 'a.json')
    datasets = build(same)
    assert look(datasets, Evaluator(LVISFixedAPMetric(str(same))), model).errors == []
    fewer = lvis(tmp_path / 'set', 'fewer.json', images=1)
    found = look(datasets, Evaluator(LVISFixedAPMetric(str(fewer))), model)
    assert 'other images than the data set' in found.errors[0]
    named = lvis(tmp_path / 'set', 'named.json', [dict(CATEGORIES[0], name='lion'),
                                                  *CATEGORIES[1:]])
    found = look(datasets, Evaluator(LVISFixedAPMetric(str(named))), model)
    assert "only in metric: ['3 lion']" in found.errors[0]


def test_the_metric_of_a_suite_reads_other_files(model, tmp_path):
    paths = [write(tmp_path / name) for name in ('one', 'two')]
    datasets = [build(path)[0]._replace(name=path.parent.name) for path in paths]
    files = dict(one=str(paths[0]), two=str(paths[1]))
    assert look(datasets, Evaluator(ODinWMetric(files)), model).errors == []
    other = write(tmp_path / 'two', 'b.json', [dict(CATEGORIES[0], name='lion'), *CATEGORIES[1:]])
    found = look(datasets, Evaluator(ODinWMetric(dict(files, two=str(other)))), model)
    assert len(found.errors) == 1 and found.errors[0].startswith('two: ODinWMetric')
    assert "only in metric: ['3 lion']" in found.errors[0]
    found = look(datasets, Evaluator(ODinWMetric(dict(one=files['one']))), model)
    assert "it names ['one']" in found.errors[0]


def test_names_that_collide_or_vanish(model, tmp_path):
    categories = [dict(id=1, name='bow (weapon)'), dict(id=2, name='bow (ribbon)'),
                  dict(id=3, name=' ')]
    path = write(tmp_path / 'set', categories=categories, boxes=(1, 2, 3))
    found = look(build(path, classes=tuple(c['name'] for c in categories)), Evaluator(), model)
    assert any("'bow' <- ['bow (weapon)', 'bow (ribbon)']" in w for w in found.warnings)
    assert any('1 of 3 names own no token' in w for w in found.warnings)


def test_a_missing_or_damaged_file_is_named(model, tmp_path):
    datasets = build(write(tmp_path / 'set'))
    (tmp_path / 'set/a.json').write_text('{"images": [')
    assert "a.json' is not valid JSON" in look(datasets, Evaluator(), model).errors[0]
    (tmp_path / 'set/a.json').unlink()
    assert "a.json' is missing" in look(datasets, Evaluator(), model).errors[0]


def test_an_image_that_is_missing_or_broken_is_named(model, tmp_path):
    path = write(tmp_path / 'set')
    (path.parent / '0.jpg').unlink()
    errors = look(build(path), Evaluator(), model).errors
    assert '1 of 2 images' in errors[0] and 'are missing' in errors[0]
    assert 'cannot be prepared' in errors[1] and "0.jpg'" in errors[1]
    (path.parent / '0.jpg').write_bytes(b'no image')
    assert 'cannot be decoded' in look(build(path), Evaluator(), model).errors[0]


def test_a_text_for_each_class_is_logged_and_checked(model, tmp_path):
    path = write(tmp_path / 'set')
    (tmp_path / 'a.json').write_text('{"cat": "an animal", "dog": "an animal"}')

    def found(**class_texts):
        known = build_nano(model.language_model.name, fuse=False, class_texts=class_texts)
        return look(build(path), Evaluator(), known)

    notes = found(knowledge=str(tmp_path / 'a.json')).notes[0]
    assert "3 classes, each by itself: ['cat: an animal', 'dog: an animal', 'car']" in notes
    errors = found(knowledge=str(tmp_path / 'a.json'), strict=True).errors
    assert len(errors) == 1 and "no definition of ['car']; add them" in errors[0]


def test_detectors_without_words_are_left_alone(tmp_path):
    found = look(build(write(tmp_path / 'set')), Evaluator(), torch.nn.Linear(1, 1))
    assert (found.errors, found.notes) == ([], [])


def test_wrapped_models_are_looked_into(model, tmp_path):
    class Wrapper(torch.nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module
    found = look(build(write(tmp_path / 'set')), Evaluator(), Wrapper(Wrapper(model)))
    assert 'one prompt of 3 classes' in found.notes[0]
    assert isinstance(model.prompts, PromptBatcher)
    assert isinstance(model.test_cfg, PredictionSettings)
