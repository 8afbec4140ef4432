"""A training pipeline that leaves boxes beside their objects is refused, others are let through."""

import json
import random

import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform
from mmengine.registry import DefaultScope
from PIL import Image

from glip_mm.evaluation.preflight import Findings, box_positions
from glip_mm.evaluation.preflight.pipeline_order import loads_boxes, order_fault
from glip_mm.evaluation.preflight.training import check_pipeline
from glip_mm.evaluation.tested_datasets import tested_datasets as datasets_of
from glip_mm.registry import DATASETS, TRANSFORMS

LOAD = dict(type='LoadImageFromFile')
BOXES = dict(type='LoadAnnotations', with_bbox=True)
PACK = dict(type='PackDetInputs', meta_keys=('img_path', ))


@TRANSFORMS.register_module()
class MoveOnlyPixels(BaseTransform):
    """A mistake of a user: the image changes, the boxes do not, or twice."""

    def __init__(self, scale=1., flip=False, boxes=1.):
        self.scale, self.flip, self.boxes = scale, flip, boxes

    def transform(self, results):
        image = Image.fromarray(results['img'])
        if self.scale != 1:
            image = image.resize([round(self.scale * side) for side in image.size])
        results['img'] = np.asarray(image)[:, ::-1 if self.flip else 1].copy()
        results['img_shape'] = results['img'].shape[:2]
        results['gt_bboxes'].rescale_((self.boxes, self.boxes))
        return results


@TRANSFORMS.register_module()
class ToFloat(BaseTransform):
    """For transforms that do not take bytes."""

    def transform(self, results):
        return dict(results, img=results['img'].astype(np.float32))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Three images of another shape each."""
    folder = tmp_path_factory.mktemp('images')
    rng, images = np.random.default_rng(0), []
    for i, (width, height) in enumerate([(120, 80), (70, 90), (100, 100)]):
        Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8)).save(
            folder / f'{i}.png')
        images.append(dict(id=i, file_name=f'{i}.png', width=width, height=height))
    (folder / 'a.json').write_text(json.dumps(dict(
        images=images, categories=[dict(id=1, name='cat')],
        annotations=[dict(id=i + 1, image_id=i, category_id=1, bbox=[9, 9, 40, 30], area=1200,
                          iscrowd=0) for i in range(3)])))
    return folder


def look(folder, *steps, kind='ZeroShotDataset', **options):
    with DefaultScope.overwrite_default_scope('glip_mm'):
        dataset = DATASETS.build(dict(
            type=kind, ann_file=str(folder / 'a.json'), data_prefix=dict(img=str(folder)),
            pipeline=list(steps), **options))
    findings = Findings()
    check_pipeline(datasets_of(dataset)[0], findings)
    assert findings.warnings == findings.notes == []
    return findings.errors


def resize(scale=(60, 200), **more):
    return dict(dict(type='Resize', scale=scale, keep_ratio=True), **more)


GOOD = dict(
    plain=[],
    enlarged=[resize((400, 500))],
    reduced=[resize((30, 40))],
    stretched=[resize((200, 50), keep_ratio=False)],
    ours=[dict(type='ClipBoxes'), dict(type='ShortSideResize', scale=(320, 500)),
          dict(type='FlipWithWords', prob=0.5)],
    scales=[dict(type='RandomChoiceResize', resize_type='ShortSideResize',
                 scales=[(s, 400) for s in (40, 100, 200)])],
    ranges=[dict(type='RandomResize', scale=(200, 200), ratio_range=(0.3, 2), keep_ratio=True)],
    flips=[dict(type='RandomFlip', prob=[0.3, 0.3, 0.3],
                direction=['horizontal', 'vertical', 'diagonal'])],
    crops=[resize((300, 400)), dict(type='RandomCrop', crop_size=(0.5, 0.5),
                                    crop_type='relative')],
    iou_crops=[dict(type='Expand', ratio_range=(1, 3)), dict(type='MinIoURandomCrop')],
    turned=[dict(type='RandomAffine')],
    rotated=[dict(type='Rotate', prob=1., min_mag=30., max_mag=40.)],
    sheared=[dict(type='ShearX', prob=1.), dict(type='TranslateY', prob=1.)],
    distorted=[dict(type='ToFloat'), dict(type='PhotoMetricDistortion')],
    colours=[dict(type='Equalize', prob=0.5), dict(type='AutoContrast', prob=0.5),
             dict(type='Invert', prob=0.5), dict(type='Posterize', prob=0.5)],
    hidden=[dict(type='CutOut', n_holes=3, cutout_shape=(20, 20)),
            dict(type='RandomErasing', n_patches=2, ratio=0.2)],
    padded=[resize(), dict(type='Pad', size_divisor=32)],
)


@pytest.mark.parametrize('name', GOOD)
def test_pipelines_that_are_right(folder, name, monkeypatch):
    seen, compare = [], box_positions._compare
    monkeypatch.setattr(box_positions, '_compare', lambda views: seen.append(compare(views)) or
                        seen[-1])
    assert look(folder, LOAD, BOXES, *GOOD[name], PACK) == []
    assert sum(each is not None for each in seen) >= 4  # they were compared


@pytest.mark.parametrize('steps, step', [
    ([dict(scale=2.)], 'MoveOnlyPixels'), ([dict(scale=0.6)], 'MoveOnlyPixels'),
    ([dict(boxes=1.5)], 'MoveOnlyPixels'), ([dict(scale=0.5, boxes=0.25)], 'MoveOnlyPixels'),
    ([dict(flip=True)], 'MoveOnlyPixels'),
    ([dict(scale=2.), dict(boxes=4.)], 'MoveOnlyPixels')])
def test_transforms_that_move_pixels_and_boxes_differently(folder, steps, step):
    error, = look(folder, LOAD, BOXES, resize(),
                  *(dict(kept, type='MoveOnlyPixels') for kept in steps), PACK)
    assert f'It goes wrong at {step}:' in error and "0.png' that is seen at [" in error
    assert "'LoadAnnotations', 'Resize', 'MoveOnlyPixels'" in error


def test_a_mistake_that_happens_now_and_then(folder):
    error, = look(folder, LOAD, BOXES, dict(type='RandomApply', prob=0.4, transforms=[
        dict(type='MoveOnlyPixels', flip=True)]), PACK)
    assert 'It goes wrong at RandomApply' in error


def test_numbers_of_a_message_are_those_of_the_image(folder):
    error, = look(folder, LOAD, BOXES, dict(type='MoveOnlyPixels', scale=2.), PACK)
    assert "is seen at [24, 24, 108, 96] of 240 x 160 has the box [12, 12, 54, 48]" in error


def test_boxes_that_are_larger_than_objects(folder):
    error, = look(folder, LOAD, BOXES, dict(type='MoveOnlyPixels', boxes=1.02),
                  dict(type='WholeImage'), PACK)
    assert 'boxes are larger than objects' in error


@TRANSFORMS.register_module()
class WholeImage(BaseTransform):
    """Every box becomes the image."""

    def transform(self, results):
        height, width = results['img_shape']
        results['gt_bboxes'].tensor[:] = torch.tensor([0., 0., width, height])
        return results


@pytest.mark.parametrize('first', [
    resize(), dict(type='mmdet.FixScaleResize', scale=(60, 200), keep_ratio=True),
    dict(type='ShortSideResize', scale=(60, 200)), dict(type='RandomFlip', prob=0.5),
    dict(type='RandomChoice', transforms=[[resize()], [resize((90, 90))]])])
@pytest.mark.parametrize('kind', ['ZeroShotDataset', 'CocoDataset'])
def test_boxes_that_are_loaded_too_late(folder, first, kind):
    options = dict(metainfo=dict(classes=('cat', ))) if kind == 'CocoDataset' else {}
    error, = look(folder, LOAD, first, BOXES, PACK, kind=kind, **options)
    assert 'step 2 (LoadAnnotations) loads the boxes' in error
    assert 'put LoadAnnotations directly after the loading of the image' in error


def test_order_of_configs_and_of_transforms():
    assert order_fault([LOAD, BOXES, resize(), PACK]) == ''
    assert order_fault([LOAD, resize(), PACK]) == '' and not loads_boxes([LOAD, resize(), PACK])
    assert 'step 1.0.0 (Resize) moves' in order_fault(
        [LOAD, dict(type='RandomChoice', transforms=[[resize()]]), BOXES])
    assert 'step 0 (MosaicOfMine)' in order_fault([type('MosaicOfMine', (
        TRANSFORMS.get('mmdet.CachedMosaic'), ), {})(img_scale=(64, 64)), BOXES])
    assert order_fault([dict(type='nobody.Knows'), BOXES]) == ''


def test_no_random_number_is_drawn(folder):
    def states():
        return (random.getstate(), np.random.get_state()[1].tolist(),
                torch.get_rng_state().tolist())
    before = states()
    assert look(folder, LOAD, BOXES, *GOOD['flips'], PACK) == []
    assert states() == before
