"""A tiny GLIP with a config like a user's, and a folder of pictures."""

import numpy as np
import pytest
import torch
from mmengine.config import Config

from glip_mm.apis import GLIPInferencer
from glip_mm.visualization import save_image
from tests.test_models.nano import nano_config, write_tiny_bert


def make_config(tiny_bert: str, scope: str = 'glip_mm') -> Config:
    model = nano_config(tiny_bert)
    # untrained scores are about 0.01: let enough of them through
    model['test_cfg'] = dict(score_thr=0.0, nms_pre=50, max_per_img=20, chunked_size=-1)
    for part in ('neck', 'backbone', 'data_preprocessor'):
        model[part] = dict(model[part], type=f'mmdet.{model[part]["type"].split(".")[-1]}')
    for part in ('language_model', 'fusion_neck', 'bbox_head'):
        model[part] = dict(model[part], type=f'glip_mm.{model[part]["type"]}')
    pipeline = [
        dict(type='LoadImageFromFile', imdecode_backend='pillow'),
        dict(type='mmdet.FixScaleResize', scale=(128, 96), keep_ratio=True, backend='pillow'),
        dict(type='mmdet.LoadAnnotations', with_bbox=True),
        dict(type='mmdet.PackDetInputs',
             meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'text',
                        'custom_entities')),
    ]
    dataset = dict(type='mmdet.CocoDataset', ann_file='', test_mode=True, return_classes=True,
                   pipeline=pipeline)
    loader = dict(batch_size=2, num_workers=0, dataset=dataset,
                  sampler=dict(type='DefaultSampler', shuffle=False))
    return Config(dict(default_scope=scope, model=model, test_dataloader=loader))


@pytest.fixture(scope='session')
def tiny_bert(tmp_path_factory) -> str:
    return write_tiny_bert(tmp_path_factory.mktemp('bert') / 'tiny')


@pytest.fixture(scope='session')
def config(tiny_bert) -> Config:
    return make_config(tiny_bert)


@pytest.fixture(scope='session')
def checkpoint(config, tmp_path_factory) -> str:
    """Weights as MMEngine saves them."""
    from glip_mm.apis.building import build_model
    torch.manual_seed(0)
    model = build_model(config)
    for parameter in model.bbox_head.parameters():
        # apart from each other, so that rounding does not reorder them
        torch.nn.init.normal_(parameter, std=0.3)
    path = tmp_path_factory.mktemp('weights') / 'nano.pth'
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    return str(path)


@pytest.fixture(scope='session')
def inferencer(config, checkpoint) -> GLIPInferencer:
    return GLIPInferencer(config, checkpoint, device='cpu', show_progress=False)


@pytest.fixture(scope='session')
def pictures(tmp_path_factory) -> str:
    """A folder of three pictures of one size."""
    folder = tmp_path_factory.mktemp('pictures')
    for index in range(3):
        generator = np.random.default_rng(index)
        small = generator.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        save_image(folder / f'{index}.png', small.repeat(16, axis=0).repeat(16, axis=1))
    return str(folder)
