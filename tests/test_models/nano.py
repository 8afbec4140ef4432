"""A GLIP small enough for tests, made of the same components as the real one."""

from collections.abc import Sequence
from pathlib import Path

import torch
from mmdet.structures import DetDataSample
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

import glip_mm.models  # noqa: F401
from glip_mm.registry import MODELS
from glip_mm.text.language_model_files import ASSETS

VOCABULARY = ASSETS / 'bert-base-uncased' / 'vocab.txt'


def write_tiny_bert(folder: Path, width: int = 32, num_layers: int = 1) -> str:
    """A folder with a small BERT's configuration and the standard vocabulary."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'config.json').write_text(
        '{"model_type": "bert", "architectures": ["BertModel"], "vocab_size": 30522, '
        f'"hidden_size": {width}, "num_hidden_layers": {num_layers}, "num_attention_heads": 2, '
        f'"intermediate_size": {2 * width}, "max_position_embeddings": 512, "pad_token_id": 0}}')
    for name in ('vocab.txt', 'tokenizer_config.json'):
        (folder / name).write_bytes((VOCABULARY.parent / name).read_bytes())
    return str(folder)


RESNET = dict(type='ResNet', depth=18, base_channels=4, out_indices=(1, 2, 3))


def nano_config(language_model: str, backbone: dict | None = None,
                in_channels: Sequence[int] = (8, 16, 32), channels: int = 32, fuse: bool = True,
                levels: int = 5, blocks: int = 2, **extra) -> dict:
    head = dict(type='ATSSGroundingHead', in_channels=channels)
    if levels != 5:
        head.update(num_levels=levels, anchor_generator=dict(
            type='AnchorGenerator', ratios=[1.0], octave_base_scale=8, scales_per_octave=1,
            strides=[8, 16, 32, 64, 128][:levels], center_offset=0.5))
    return dict(
        type='glip_mm.GLIP',
        data_preprocessor=dict(type='mmdet.DetDataPreprocessor', mean=[103.53, 116.28, 123.675],
                               std=[57.375, 57.12, 58.395], bgr_to_rgb=False,
                               pad_size_divisor=32),
        backbone=backbone or RESNET,
        neck=dict(type='FPN', in_channels=list(in_channels), out_channels=channels,
                  add_extra_convs='on_output', relu_before_extra_convs=True, num_outs=levels),
        language_model=dict(type='BertLanguageModel', name=language_model, pretrained=False),
        fusion_neck=dict(type='VLFusionNeck', in_channels=channels, num_layers=blocks,
                         fuse=fuse, embed_dim=32, num_heads=4),
        bbox_head=head,
        **extra)


def build_nano(*args, seed: int = 0, **kwargs) -> torch.nn.Module:
    torch.manual_seed(seed)
    with DefaultScope.overwrite_default_scope('glip_mm'):
        return MODELS.build(nano_config(*args, **kwargs))


def data_sample(text, boxes=(), labels=(), size=(64, 96), **meta) -> DetDataSample:
    sample = DetDataSample(metainfo=dict(img_shape=size, ori_shape=size, scale_factor=(1.0, 1.0),
                                         text=text, **meta))
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        labels=torch.tensor(labels, dtype=torch.long))
    return sample


def image(seed: int = 0, size=(64, 96)) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=generator)


def losses_of(model, images, samples) -> dict:
    data = model.data_preprocessor(dict(inputs=images, data_samples=samples), True)
    return model(**data, mode='loss')


def predict(model, images, samples) -> list:
    model.eval()
    with torch.no_grad():
        return model.test_step(dict(inputs=images, data_samples=samples))
