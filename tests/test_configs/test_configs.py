"""Every shipped config parses, and its model and pipelines build and run."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

import glip_mm.datasets  # noqa: F401
import glip_mm.models  # noqa: F401
from glip_mm.registry import DATASETS, MODELS, TRANSFORMS

ROOT = Path(__file__).parents[2] / 'configs'
# those that only test have files of their own: test_zero_shot.py, test_knowledge.py
TEST_ONLY = ('coco', 'lvis', 'flickr30k', 'refcoco', 'odinw', 'd3', 'knowledge')
CONFIGS = sorted(str(p.relative_to(ROOT)) for p in ROOT.glob('*/*.py')
                 if p.parts[-2][0] != '_' and p.parts[-2] not in TEST_ONLY)
RELEASED = ('glip_swin-t-a_o365', 'glip_swin-t_o365', 'glip_swin-t_o365-goldg',
                   'glip_swin-t_o365-goldg-cc3m-sbu', 'glip_swin-l_mixed')


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('glip_mm'):
        yield


@pytest.mark.parametrize('path', CONFIGS)
def test_config_is_complete(path):
    config = Config.fromfile(ROOT / path)
    assert config.default_scope == 'glip_mm'
    for key in ('model', 'train_dataloader', 'test_dataloader', 'test_evaluator', 'optim_wrapper',
                'train_cfg', 'param_scheduler', 'default_hooks'):
        assert key in config, key
    # a baseline says so in its name
    assert config.model.type == ('ATSS' if 'atss' in str(path) else 'glip_mm.GLIP')


def test_all_released_models_have_a_config():
    assert set(RELEASED) <= {Path(p).stem for p in CONFIGS}


# sizes: released models have 231.8 M, 151.4 M and 430.4 M parameters with 20,560 dead ones each
@pytest.mark.parametrize('path, millions', [
    ('glip/glip_swin-t_o365-goldg.py', 231_780_222 - 20_560),
    ('glip/glip_swin-t-a_o365.py', 151_430_526 - 20_560),
    ('glip/glip_swin-l_mixed.py', 430_422_384 - 20_560),
    ('backbones/glip_r50_o365.py', None),
    ('backbones/glip_cspnext-s_o365.py', None),
])
def test_model_builds_with_its_published_size(path, millions, monkeypatch):
    # values do not matter here and drawing 400 M of them takes most of the time
    for name in ('xavier_uniform_', 'kaiming_uniform_', 'normal_', 'trunc_normal_', 'uniform_'):
        monkeypatch.setattr(torch.nn.init, name, lambda tensor, *args, **kwargs: tensor)
    model = MODELS.build(Config.fromfile(ROOT / path).model)
    count = sum(p.numel() for p in model.parameters())
    assert count == millions if millions else count > 1e7


def test_chunk_of_training_data_passes_the_pretraining_pipeline(tmp_path):
    """The published pipeline on rows in the ecosystem's format, detection and grounding."""
    config = Config.fromfile(ROOT / 'glip/glip_swin-t_o365-goldg.py')
    detection, _, grounding = config.train_dataloader.dataset.datasets
    Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save(tmp_path / 'a.png')
    box = dict(bbox=[4, 5, 40, 44], label=1, category='cat')
    rows = {
        'det.jsonl': dict(filename='a.png', height=48, width=64,
                          detection=dict(instances=[box])),
        'vg.jsonl': dict(filename='a.png', height=48, width=64, grounding=dict(
            caption='a cat on a mat',
            regions=[dict(bbox=[4, 5, 40, 44], phrase='a cat', tokens_positive=[[0, 5]])]))}
    for name, row in rows.items():
        (tmp_path / name).write_text(json.dumps(row) + '\n')
    (tmp_path / 'labels.json').write_text(json.dumps({'0': 'dog', '1': 'cat', '2': 'bow_(tie)'}))
    common = dict(data_root=str(tmp_path), data_prefix=dict(img=''))
    detection.update(common, ann_file='det.jsonl', label_map_file='labels.json')
    grounding.update(common, ann_file='vg.jsonl', format='odvg')
    for dataset in (detection, grounding):
        sample = DATASETS.build(dataset)[0]['data_samples']
        name = sample.prompt.names[int(sample.gt_instances.labels[0])]
        assert name in ('cat', 'a cat')
        assert min(sample.img_shape) in (480, 560, 640, 720, 800)


# width, height -> height', width' by the published rule (long side rounded down)
@pytest.mark.parametrize('size, wanted', [
    ((640, 480), (800, 1066)), ((640, 427), (800, 1199)), ((500, 375), (800, 1066)),
    ((1024, 300), (391, 1334)), ((481, 640), (1064, 800)), ((640, 360), (750, 1333)),
    ((3000, 2000), (800, 1200)), ((612, 612), (800, 800))])
def test_published_resize(size, wanted):
    config = Config.fromfile(ROOT / 'glip/glip_swin-t_o365.py')
    resize = next(t for t in config.test_pipeline if 'Resize' in t.type)
    image = np.zeros((size[1], size[0], 3), np.uint8)
    out = TRANSFORMS.build(resize)(dict(img=image, img_shape=image.shape[:2]))
    assert out['img_shape'] == wanted
