"""What would spoil a training is said before its first batch, and what is right is let through."""

import json
import logging
import random
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmengine.registry import DefaultScope
from PIL import Image

from glip_mm.engine.hooks import PreflightHook
from glip_mm.evaluation.preflight import Findings, PreflightError, check_training
from glip_mm.evaluation.preflight.training import check_training_set, check_vocabularies
from glip_mm.evaluation.tested_datasets import tested_datasets as datasets_of
from glip_mm.registry import DATASETS, TRANSFORMS
from glip_mm.visualization.training_sample import save_training_sample
from tests.test_models.nano import build_nano, write_tiny_bert

SIZE = (40, 30)
KEYS = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'text', 'prompt')


@pytest.fixture(scope='module')
def bert(tmp_path_factory):
    return write_tiny_bert(tmp_path_factory.mktemp('bert'))


@pytest.fixture(scope='module')
def model(bert):
    return build_nano(bert)


def write(folder, names=('cat', 'dog'), ids=None, boxes=None, images=3):
    """A COCO file; box ``i`` of category ``i`` unless ``boxes`` lists ``(category id, bbox)``."""
    folder.mkdir(exist_ok=True)
    ids = ids or list(range(1, len(names) + 1))
    boxes = boxes if boxes is not None else [(i, [2, 3, 20, 15]) for i in ids]
    for i in range(images):
        Image.fromarray(np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)).save(folder / f'{i}.png')
    (folder / 'a.json').write_text(json.dumps(dict(
        images=[dict(id=i, file_name=f'{i}.png', width=SIZE[0], height=SIZE[1])
                for i in range(images)],
        annotations=[dict(id=i + 1, image_id=i % images, category_id=c, bbox=b, iscrowd=0,
                          area=b[2] * b[3]) for i, (c, b) in enumerate(boxes)],
        categories=[dict(id=i, name=name) for i, name in zip(ids, names)])))
    return folder


def build(folder, bert, builder=None, kind='GroundingDataset', **options):
    """A training set as configs build it."""
    own = dict(format='coco') if kind == 'GroundingDataset' else dict(return_classes=True)
    pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True),
                dict(type='BuildPrompt', tokenizer=bert, fixed=True, **(builder or {})),
                dict(type='PackDetInputs', meta_keys=KEYS)]
    with DefaultScope.overwrite_default_scope('glip_mm'):
        stream = DATASETS.build(dict(type='GroundingStream', datasets=[dict(dict(
            type=kind, data_root=str(folder), ann_file='a.json', data_prefix=dict(img=''),
            pipeline=pipeline, **own), **options)]))
    return datasets_of(stream)


def look(folder, bert, model, **options):
    findings = Findings()
    for dataset in build(folder, bert, **options):
        check_training_set(dataset, model, findings)
    return findings


def test_a_good_set_passes_and_its_prompt_is_logged(bert, model, tmp_path):
    found = look(write(tmp_path / 'a'), bert, model)
    assert (found.errors, found.warnings) == ([], [])
    assert '3 training images, 2 classes' in found.notes[-1] and "cat" in found.notes[-1]


def test_the_share_of_dropped_boxes_is_reported(bert, model, tmp_path):
    folder = write(tmp_path / 'a')
    one = dict(label=0, bbox=[1, 1, 9, 9])
    (folder / 'map.json').write_text('{"0": "cat"}')
    for labels, kind in (([0, 0, 7], 'warnings'), ([7, 7, 0], 'errors')):
        (folder / 'a.json').write_text(json.dumps(dict(
            filename='0.png', width=SIZE[0], height=SIZE[1],
            detection=dict(instances=[dict(one, label=label) for label in labels]))))
        found = look(folder, bert, model, format='odvg', label_map_file='map.json')
        (text, ) = getattr(found, kind)
        counts = re.search(r'(\d+) of (\d+) boxes left out \(unknown label', text)
        assert int(counts[1]) / int(counts[2]) == labels.count(7) / 3


def test_no_random_number_is_drawn(bert, model, tmp_path):
    datasets = build(write(tmp_path / 'a'), bert, builder=dict(num_negatives=1))
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    check_training_set(datasets[0], model, Findings())
    assert before == (random.getstate(), np.random.get_state()[1].tolist(),
                      torch.get_rng_state().tolist())


@pytest.mark.parametrize('ids', [(3, 90), (0, 1), (7, 2)])
def test_any_ids_name_the_right_class(ids, bert, model, tmp_path):
    folder = write(tmp_path / 'a', ids=list(ids), images=2)
    datasets = build(folder, bert)
    assert look(folder, bert, model).errors == []
    for i, name in enumerate(('cat', 'dog')):
        sample = datasets[0].dataset[i]['data_samples']
        assert [sample.prompt.names[label] for label in sample.gt_instances.labels] == [name]


@pytest.mark.parametrize('name, words', [
    ('cup/mug', 'cup/mug'), ('cell [white]', 'cell [white]'), ('cell (red)', 'cell '),
    ('étoile filante', 'étoile filante'), ('St. Bernard', 'St. Bernard'), ('a' * 200, 'a' * 200),
    ('zebra_crossing', 'zebra crossing'), ('DOG', 'DOG')])
def test_names_of_all_kinds_own_their_words(name, words, bert, model, tmp_path):
    folder = write(tmp_path / 'a', names=('cat', name), images=2)
    sample = build(folder, bert)[0].dataset[1]['data_samples']
    label = int(sample.gt_instances.labels[0])
    entity = sample.prompt.entities[label]
    assert entity.name == name and [sample.prompt.caption[b:e] for b, e in entity.spans] == [words]
    assert model.prompts.token_map(sample.prompt)[label].any()
    assert look(folder, bert, model).errors == []


def test_names_that_mean_nothing_or_the_same(bert, model, tmp_path):
    found = look(write(tmp_path / 'a', names=('red_cell', 'Red cell', '🦝')), bert, model)
    text = '\n'.join(found.warnings)
    assert "cannot tell these classes apart" in text and "['red_cell', 'Red cell']" in text
    assert "reads them as [UNK]: ['🦝']" in text and 'caption_prompt' in text
    # the remedy is one
    again = look(write(tmp_path / 'b', names=('red_cell', 'Red cell', '🦝')), bert, model,
                 builder=dict(caption_prompt={'Red cell': dict(name='erythrocyte'),
                                              '🦝': dict(name='raccoon')}))
    assert again.warnings == []


def test_names_that_are_sentences(bert, model, tmp_path):
    found = look(write(tmp_path / 'a', names=('cat', 'very long ' * 20)), bert, model)
    assert found.errors == [] and 'whole sentences' in found.warnings[0]
    found = look(write(tmp_path / 'b', names=('cat', 'very long ' * 200)), bert, model)
    assert 'longer than a prompt of 256 tokens' in found.errors[0]
    assert len(found.errors[0]) < 400


def test_classes_without_boxes_and_sets_without_any(bert, model, tmp_path):
    found = look(write(tmp_path / 'a', boxes=[(1, [2, 3, 20, 15])]), bert, model)
    assert found.errors == [] and "1 of 2 classes have no boxes in training" in found.warnings[0]
    found = look(write(tmp_path / 'b', boxes=[]), bert, model)
    assert 'nothing to learn from' in found.errors[0]


def test_boxes_in_another_format(bert, model, tmp_path):
    found = look(write(tmp_path / 'a', boxes=[(1, [20, 15, 38, 28])] * 3), bert, model)
    assert 'would fit as [x1, y1, x2, y2]' in found.errors[0]


def test_metainfo_that_the_file_contradicts(bert, model, tmp_path):
    found = look(write(tmp_path / 'a'), bert, model, metainfo=dict(classes=('dog', 'cat')))
    assert 'which metainfo contradicts' in found.errors[0]
    assert "from label 0 on: 'dog' against 'cat'" in found.errors[0]


def test_mmdetections_set_with_names_that_the_file_does_not_have(bert, model, tmp_path):
    folder = write(tmp_path / 'a')
    options = dict(kind='CocoDataset', metainfo=dict(classes=('kat', 'dog')))
    found = look(folder, bert, model, **options)
    assert "only in metainfo.classes: ['kat']" in found.errors[0]
    assert "not trained: ['cat']" in found.warnings[0]
    with pytest.raises(ValueError, match=r"datasets\[0\].*a.json.*\('kat', 'hund'\)"):
        build(folder, bert, kind='CocoDataset', metainfo=dict(classes=('kat', 'hund')),
              filter_cfg=dict(filter_empty_gt=True))


def test_another_tokenizer_or_a_longer_prompt_than_the_model_takes(bert, model, tmp_path):
    found = look(write(tmp_path / 'a'), bert, model, builder=dict(max_tokens=300))
    assert 'BuildPrompt.max_tokens=300' in found.errors[0] and '256' in found.errors[0]
    other = write_tiny_bert(tmp_path / 'other')
    vocabulary = tmp_path / 'other' / 'vocab.txt'
    vocabulary.write_text(vocabulary.read_text() + 'brandnewword\n')
    found = look(tmp_path / 'a', bert, model, builder=None)
    assert found.errors == []
    found = look(tmp_path / 'a', other, model)
    assert 'has another vocabulary' in found.errors[0]


def test_json_lines_are_looked_at_by_sample(bert, model, tmp_path):
    folder = write(tmp_path / 'a')
    (folder / 'a.json').write_text('\n'.join(json.dumps(dict(
        filename=f'{i}.png', height=SIZE[1], width=SIZE[0], detection=dict(instances=[
            dict(bbox=[2, 3, 22, 18], label=0, category='cat')]))) for i in range(3)))
    (folder / 'labels.json').write_text('{"0": "cat", "1": "dog"}')
    found = look(folder, bert, model, format='odvg', label_map_file='labels.json')
    assert found.errors == [] and "classes have no boxes in training" in found.warnings[0]


def test_an_image_that_is_missing_or_broken_is_replaced_with_its_name(bert, tmp_path):
    folder = write(tmp_path / 'a')
    (folder / '0.png').unlink()
    (folder / '1.png').write_bytes(b'no image')
    dataset = build(folder, bert)[0].dataset
    assert all(dataset[i]['data_samples'].img_path.endswith('2.png') for i in range(3))
    assert dataset.counter.causes['missing image'] >= 1
    assert dataset.counter.causes['broken image'] >= 1


def test_evaluated_classes_that_are_not_trained(bert, tmp_path):
    training = build(write(tmp_path / 'a'), bert)
    for names, said in ((('cat', 'dog'), None), (('Cat', 'dog'), "'Cat' (trained as 'cat')"),
                        (('cow', 'bird'), 'zero-shot'), (('cow', 'dog'), None)):
        tested = [training[0]._replace(name='val', classes=names)]
        findings = Findings()
        check_vocabularies(training, tested, findings)
        assert findings.errors == []
        assert bool(findings.warnings) == bool(said) and (said or '') in ''.join(findings.warnings)


def runner_of(datasets, model, work_dir):
    loader = SimpleNamespace(dataset=ConcatDataset([d.dataset for d in datasets]))
    return SimpleNamespace(val_loop=None, train_loop=SimpleNamespace(dataloader=loader),
                           model=model, logger=logging.getLogger('test'), work_dir=str(work_dir))


def test_the_hook_ends_the_training_or_warns(bert, model, tmp_path):
    good, bad = write(tmp_path / 'a'), write(tmp_path / 'b', boxes=[])
    PreflightHook().before_train(runner_of(build(good, bert), model, tmp_path))
    runner = runner_of(build(bad, bert), model, tmp_path)
    with pytest.raises(PreflightError, match="(?s)nothing to learn from.*preflight='warn'"):
        PreflightHook().before_train(runner)
    PreflightHook('warn').before_train(runner)
    PreflightHook('off').before_train(runner)
    with pytest.raises(ValueError, match="'maybe'"):
        PreflightHook('maybe')


def test_repeated_images_are_looked_at(bert, model, tmp_path):
    inner = build(write(tmp_path / 'a', boxes=[]), bert)[0].dataset
    repeated = RepeatDataset(inner, 3)
    assert [d.dataset for d in datasets_of(repeated)] == [repeated]
    assert [d.dataset for d in datasets_of(repeated, repeated=True)] == [inner]
    runner = runner_of([SimpleNamespace(dataset=inner)], model, tmp_path)
    runner.train_loop.dataloader.dataset = repeated
    with pytest.raises(PreflightError, match='nothing to learn from'):
        PreflightHook().before_train(runner)


def test_the_test_is_looked_at_where_the_run_ends_with_one(bert, model, tmp_path):
    folder = write(tmp_path / 'a')
    with DefaultScope.overwrite_default_scope('glip_mm'):
        tested = DATASETS.build(dict(
            type='ZeroShotDataset', ann_file=str(folder / 'a.json'), test_mode=True,
            data_prefix=dict(img=str(tmp_path)), pipeline=[dict(type='LoadImageFromFile')]))
    runner = runner_of(build(folder, bert), model, tmp_path)
    runner.test_loop = SimpleNamespace(dataloader=SimpleNamespace(dataset=tested), evaluator=None)
    PreflightHook().before_train(runner)
    with pytest.raises(PreflightError, match='are missing: check data_root'):
        PreflightHook(tests=True).before_train(runner)


def test_the_evaluation_of_a_training_is_looked_at_too(bert, model, tmp_path):
    folder = write(tmp_path / 'a')
    with DefaultScope.overwrite_default_scope('glip_mm'):
        tested = datasets_of(DATASETS.build(dict(
            type='CocoDataset', data_root=str(folder), ann_file='a.json', data_prefix=dict(img=''),
            metainfo=dict(classes=('kat', 'dog')), return_classes=True, test_mode=True,
            pipeline=[dict(type='LoadImageFromFile'), dict(type='PackDetInputs', meta_keys=(
                'img_id', 'text', 'custom_entities'))])))
    with pytest.raises(PreflightError, match="only in metainfo.classes: \\['kat'\\]"):
        check_training(build(folder, bert), [(tested, None)], model)


def test_detectors_without_words_are_let_through(bert, tmp_path):
    findings = Findings()
    check_training_set(build(write(tmp_path / 'a'), bert)[0], torch.nn.Linear(1, 1), findings)
    assert findings.errors == []


def test_a_text_for_each_class_is_logged_and_checked(bert, tmp_path):
    (tmp_path / 'a.json').write_text('{"cat": "an animal"}')
    folder = write(tmp_path / 'a', names=('cat', 'dog'))
    options = dict(knowledge=str(tmp_path / 'a.json'))
    found = look(folder, bert, build_nano(bert, fuse=False, class_texts=options),
                 builder=dict(method='simple', shuffle=False))
    assert found.errors == []
    assert "2 names, each by itself: ['cat: an animal', 'dog']" in found.notes[-1]
    options['strict'] = True
    errors = look(folder, bert, build_nano(bert, fuse=False, class_texts=options)).errors
    assert errors and all("no definition of ['dog']" in error for error in errors)


def test_a_picture_of_what_the_network_will_see(bert, model, tmp_path, caplog):
    datasets = build(write(tmp_path / 'a', boxes=[(1, [2, 3, 20, 15])] * 3), bert)
    dataset = datasets[0].dataset
    path = tmp_path / 'preflight/train_sample.jpg'
    before = np.random.get_state()[1].tolist()
    with caplog.at_level(logging.INFO, 'test'):
        PreflightHook().before_train(runner_of(datasets, model, tmp_path))
    assert np.random.get_state()[1].tolist() == before
    assert f"'{path}' shows what the network will see" in caplog.text
    assert Image.open(path).size[0] >= 320
    # boxes in the order of tests are drawn where the network gets them: elsewhere
    load, boxes, *others = dataset.pipeline.transforms
    resize = TRANSFORMS.build(dict(type='mmdet.Resize', scale=(80, 60)))
    pictures = []
    for first in ((boxes, resize), (resize, boxes)):
        dataset.pipeline.transforms = [load, *first, *others]
        save_training_sample(dataset, path)
        pictures.append(np.asarray(Image.open(path), dtype=int))
    assert np.abs(pictures[0] - pictures[1]).max() > 50


@pytest.mark.skipif(not hasattr(np, 'long'),
                    reason='MMDetection 3.3 asks NumPy for long, which 1.26 has not')
def test_mmdetections_own_rows_and_sampling_train_without_a_warning(bert, model, tmp_path, logged):
    """The labels that its sampling leaves out between others are no nameless entities."""
    names = dict(zip('0123456789', 'ant bee cat cow dog elk fox hen pig rat'.split()))
    folder = write(tmp_path / 'a', images=1)
    (folder / 'map.json').write_text(json.dumps(names))
    (folder / 'a.json').write_text(json.dumps(dict(
        filename='0.png', width=SIZE[0], height=SIZE[1], detection=dict(instances=[
            dict(label=label, bbox=[2, 3, 20, 15]) for label in (2, 7)]))))
    pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True),
                dict(type='RandomSamplingNegPos', tokenizer_name=bert, full_sampling_prob=1.0),
                dict(type='PackDetInputs', meta_keys=(*KEYS, 'tokens_positive'))]
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = DATASETS.build(dict(
            type='ODVGDataset', data_root=str(folder), ann_file='a.json', return_classes=True,
            label_map_file='map.json', data_prefix=dict(img=''), pipeline=pipeline))
    findings = Findings()
    for each in datasets_of(dataset):
        check_training_set(each, model, findings)
    assert findings.errors == [] and 'a prompt of the first: 2 names' in findings.notes[-1]
    # eight classes have no box in this one image
    assert all('have no boxes in training' in text for text in findings.warnings)
    sample = dataset[0]
    data = model.data_preprocessor(dict(inputs=[sample['inputs']],
                                        data_samples=[sample['data_samples']]), True)
    assert all(loss.isfinite() for loss in model(**data, mode='loss').values())
    assert logged == []
