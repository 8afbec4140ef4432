import pytest
import torch
from mmengine.registry import DefaultScope

from glip_mm.registry import MODELS
from tests.test_models.nano import nano_config, write_tiny_bert

SWIN = dict(type='SwinTransformer', embed_dims=8, depths=[2, 2, 2, 2], num_heads=[1, 1, 2, 2],
            window_size=7, out_indices=(1, 2, 3))
NAMES = ['cat', 'dog', 'remote control', 'cup', 'bus']


@pytest.fixture(scope='session')
def tiny_bert(tmp_path_factory) -> str:
    return write_tiny_bert(tmp_path_factory.mktemp('bert') / 'tiny')


@pytest.fixture(scope='session')
def build(tiny_bert):
    """Builds detectors whose scores are spread, so that rounding does not reorder them."""

    def make(swin=False, levels=5, blocks=2, test_cfg=None, **kwargs):
        if swin:
            kwargs.update(backbone=SWIN, in_channels=(16, 32, 64))
        config = nano_config(tiny_bert, levels=levels, blocks=blocks, test_cfg=dict(
            dict(score_thr=0.3, nms_pre=100, max_per_img=30, chunked_size=-1), **(test_cfg or {})),
            **kwargs)
        torch.manual_seed(0)
        with DefaultScope.overwrite_default_scope('glip_mm'):
            model = MODELS.build(config).eval()
        for parameter in model.bbox_head.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        for module in model.modules():
            if hasattr(module, 'scale_attention'):  # offsets that are not all 0
                torch.nn.init.normal_(module.offset.weight, std=0.1)
        return model

    return make
