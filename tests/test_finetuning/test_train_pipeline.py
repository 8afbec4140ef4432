"""Training images are read as the base config trains, and never as it tests."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from glip_mm.evaluation.preflight import Findings
from glip_mm.evaluation.preflight.training import check_pipeline
from glip_mm.evaluation.tested_datasets import tested_datasets as datasets_of
from glip_mm.finetuning import RunSettings, finetune_config, folder_splits
from glip_mm.registry import DATASETS

ROOT = Path(__file__).parents[2]
BUILD = dict(type='BuildPrompt', tokenizer='x', num_negatives=3)
LOAD = dict(type='LoadImageFromFile')
BOXES = dict(type='LoadAnnotations', with_bbox=True)
RESIZE = dict(type='Resize', scale=(50, 90), keep_ratio=True)
PACK = dict(type='PackDetInputs')


def training_of(base, pets):
    content = finetune_config(base, folder_splits(pets), RunSettings(), 'x')
    return content['train_dataloader']['dataset']


def kinds(dataset):
    return [step['type'].rpartition('.')[2] for step in dataset['pipeline']]


@pytest.fixture
def base(tiny):
    """A base config with another pipeline of training or test."""
    def make(train=None, test=None):
        config = Config.fromfile(tiny[0])
        if train is not None:
            config.train_dataloader = dict(dataset=train)
        if test is not None:
            config.test_dataloader.dataset.pipeline = test
        return config
    return make


@pytest.mark.parametrize('path', [
    None, 'odinw/glip_swin-t_o365-goldg_odinw13', 'lvis/glip_swin-t_o365-goldg_lvis-minival',
    'flickr30k/glip_swin-t_o365-goldg_flickr30k-test', 'coco/glip_swin-t_o365-goldg_coco',
    'real/glip_nano_raccoon', 'experiments/glip_nano_sentences'])
def test_boxes_lie_on_their_objects_whatever_the_config_is_for(path, pets, tiny):
    """Of the tiny config and of the zero-shot ones there is a test pipeline alone."""
    config = Config.fromfile(ROOT / f'configs/{path}.py' if path else tiny[0])
    training = training_of(config, pets)
    with DefaultScope.overwrite_default_scope('glip_mm'):
        dataset = DATASETS.build(training)
    findings = Findings()
    check_pipeline(datasets_of(dataset)[0], findings)
    assert findings.errors == []
    sample = dataset[0]['data_samples']
    height, width = sample.img_shape
    boxes = sample.gt_instances.bboxes.numpy() / ([width / 96, height / 64] * 2)
    assert boxes[:, 2:] - boxes[:, :2] == pytest.approx(np.array([[28, 24]] * 2), abs=1.6)


def test_a_test_pipeline_alone_gives_the_published_one_of_its_size(base, pets):
    loader = dict(type='LoadImageFromFile', imdecode_backend='cv2', to_float32=True,
                  color_type='color_ignore_orientation')
    sized = dict(type='ShortSideResize', scale=(480, 800), backend='cv2')
    found = training_of(base(test=[loader, sized, BOXES, PACK]), pets)
    assert kinds(found)[1:] == ['LoadAnnotations', 'ClipBoxes', 'ShortSideResize', 'RandomFlip',
                                'BuildPrompt', 'PackDetInputs']
    assert found['pipeline'][0] == dict(loader, _scope_='glip_mm')
    assert found['pipeline'][3] == sized
    # the scaling loader takes the place of Pillow's
    pillow = dict(loader, imdecode_backend='pillow')
    found = training_of(base(test=[pillow, sized, BOXES, PACK]), pets)
    assert found['pipeline'][0] == dict(pillow, type='LoadImageFromFile', _scope_='glip_mm')


def test_the_training_pipeline_of_the_base_is_kept(base, pets):
    own = [dict(LOAD, color_type='grayscale'), BOXES, dict(type='RandomCrop', crop_size=(9, 9)),
           dict(type='FlipWithWords', prob=0.2), BUILD, PACK]
    found = training_of(base(dict(type='RepeatDataset', dataset=dict(pipeline=own))), pets)
    assert kinds(found)[1:] == ['LoadAnnotations', 'RandomCrop', 'RandomFlip', 'BuildPrompt',
                                'PackDetInputs']
    assert found['pipeline'][0]['color_type'] == 'grayscale'
    assert found['pipeline'][3]['prob'] == 0.2 and found['pipeline'][4]['method'] == 'simple'


def test_pipelines_of_captions_and_of_other_models_are_no_example(base, pets):
    captions = [LOAD, BOXES, dict(type='FilterPseudoBoxes', min_score=0.5), BUILD, PACK]
    other = [LOAD, BOXES, RESIZE, dict(type='RandomSamplingNegPos', tokenizer_name='x'), PACK]
    detection = [LOAD, BOXES, BUILD, PACK]
    found = training_of(base(dict(datasets=[dict(pipeline=captions), dict(pipeline=other),
                                            dict(pipeline=detection)])), pets)
    assert kinds(found)[1:] == ['LoadAnnotations', 'BuildPrompt', 'PackDetInputs']
    for pipeline in (captions, other):
        assert 'FixScaleResize' in kinds(training_of(base(dict(pipeline=pipeline)), pets))


@pytest.mark.parametrize('train, message', [
    ([LOAD, RESIZE, BOXES, BUILD, PACK],
     r"train_dataloader.dataset.datasets\[0\].pipeline: step 1 \(Resize\) moves the pixels before "
     r"step 2 \(LoadAnnotations\)"),
    ([LOAD, dict(type='RandomFlip', prob=0.5), BOXES, BUILD, PACK], r'step 1 \(RandomFlip\)'),
    ([LOAD, RESIZE, BUILD, PACK], r'pipeline: has no LoadAnnotations: add')])
def test_a_training_pipeline_in_the_order_of_tests_is_refused(base, pets, train, message):
    with pytest.raises(ValueError, match=message):
        training_of(base(dict(datasets=[dict(pipeline=train)])), pets)


def test_steps_of_a_test_that_training_might_need(base, pets):
    with pytest.raises(ValueError, match=r"test pipeline has the steps \['Invert'\]"):
        training_of(base(test=[LOAD, dict(type='mmdet.Invert', prob=1.), RESIZE, PACK]), pets)
    with pytest.raises(ValueError, match=r"the steps \['Unpack'\]"):
        training_of(base(test=[dict(type='Unpack'), RESIZE, PACK]), pets)
    with pytest.raises(KeyError, match='how images are read is not known'):
        training_of(base(test=[]), pets)
