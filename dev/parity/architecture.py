"""Model with exactly the sizes that a list of official keys implies."""

import importlib.util
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from glip_mm.checkpoints import LoadReport, load_glip_checkpoint
from glip_mm.registry import MODELS
from glip_mm.text.language_model_files import ASSETS

from .table import Row

Shapes = dict[str, tuple[int, ...]]

# not visible in any shape; equal in all releases
FUSION_HEADS, TEXT_HEAD_WIDTH = 8, 64


def load_keys(folder: Path) -> dict[str, dict[str, Any]]:
    """Load a model folder's ``keys.json``: official key -> shape, dtype, checksums."""
    return json.loads((folder / 'keys.json').read_text(encoding='utf-8'))['keys']


def _count(shapes: Shapes, template: str) -> int:
    count = 0
    while template.format(count) in shapes:
        count += 1
    return count


def _swin(shapes: Shapes) -> dict:
    stage = 'backbone.body.layers.{}.blocks.{}.'
    tables: list[tuple[int, ...]] = []
    depths: list[int] = []
    while stage.format(len(depths), 0) + 'norm1.weight' in shapes:
        i = len(depths)
        depths.append(_count(shapes, stage.format(i, '{}') + 'norm1.weight'))
        tables.append(shapes[stage.format(i, 0) + 'attn.relative_position_bias_table'])
    return dict(
        type='SwinTransformer', embed_dims=shapes['backbone.body.patch_embed.proj.weight'][0],
        depths=depths, num_heads=[t[1] for t in tables],
        window_size=(round(tables[0][0]**0.5) + 1) // 2, drop_path_rate=0.0,
        out_indices=(1, 2, 3), convert_weights=False)


def _language_model(shapes: Shapes, folder: Path) -> dict:
    """Return the packaged BERT if it fits, else one with the same vocabulary and other sizes."""
    body = 'language_backbone.body.model.'
    config = json.loads((ASSETS / 'bert-base-uncased' / 'config.json').read_text(encoding='utf-8'))
    width = shapes[body + 'embeddings.word_embeddings.weight'][1]
    sizes = dict(
        hidden_size=width, num_attention_heads=width // TEXT_HEAD_WIDTH,
        num_hidden_layers=_count(shapes, body + 'encoder.layer.{}.output.dense.weight'),
        intermediate_size=shapes[body + 'encoder.layer.0.intermediate.dense.weight'][0],
        vocab_size=shapes[body + 'embeddings.word_embeddings.weight'][0],
        max_position_embeddings=shapes[body + 'embeddings.position_embeddings.weight'][0])
    name = 'bert-base-uncased'
    if any(config.get(k) != v for k, v in sizes.items()):
        shutil.copytree(ASSETS / name, folder, dirs_exist_ok=True)
        (folder / 'config.json').write_text(
            json.dumps({**config, **sizes}), encoding='utf-8')
        name = str(folder)
    return dict(type='BertLanguageModel', name=name, pretrained=False)


def model_config(shapes: Shapes, folder: Path, with_mlm: bool = False) -> dict:
    """Build the config of the model whose official parameters have given shapes.

    Args:
        shapes: Official key -> shape.
        folder: Empty folder for a text encoder of unusual size.
        with_mlm: Whether to add the masked-language head.

    Returns:
        Config of the detector.
    """
    inner = [f'backbone.fpn.fpn_inner{i}.weight' for i in (2, 3, 4)]
    channels = shapes[inner[0]][0]
    tower = 'rpn.head.dyhead_tower.{}.'
    fused = tower.format(0) + 'b_attn.gamma_v' in shapes
    step, first = (3, 2) if fused else (1, 0)
    blocks = 0
    while tower.format(step * blocks + first) + 'offset.weight' in shapes:
        blocks += 1
    fusion = dict(type='VLFusionNeck', in_channels=channels, num_layers=blocks, fuse=fused)
    if fused:
        fusion.update(embed_dim=shapes[tower.format(0) + 'b_attn.attn.v_proj.weight'][0],
                      num_heads=FUSION_HEADS)
    return dict(
        type='GLIP',
        data_preprocessor=dict(
            type='DetDataPreprocessor', mean=[103.53, 116.28, 123.675],
            std=[57.375, 57.12, 58.395], bgr_to_rgb=False, pad_size_divisor=32),
        backbone=_swin(shapes),
        neck=dict(type='FPNDropBlock', in_channels=[shapes[k][1] for k in inner],
                  out_channels=channels, start_level=0, add_extra_convs='on_output',
                  relu_before_extra_convs=True, num_outs=5),
        language_model=_language_model(shapes, folder),
        fusion_neck=fusion,
        bbox_head=dict(type='ATSSGroundingHead', in_channels=channels),
        mlm_head=dict() if with_mlm else None,
        test_cfg=dict(score_thr=0.05, nms_pre=1000, iou_threshold=0.6, max_per_img=100))


def seeded_weights(keys: dict[str, dict[str, Any]], rule: Path,
                   with_mlm: bool = False) -> tuple[dict[str, Tensor], Row]:
    """Generate the weights of a case from the names of its parameters.

    Args:
        keys: Entries of ``keys.json``.
        rule: A ``seeded_weights.py`` with ``seeded_tensor(key, shape)``.
        with_mlm: Whether to include the masked-language head.

    Returns:
        State dict in official naming, and the comparison of its sums with the stored ones.

    Raises:
        FileNotFoundError: If there is no such rule.
    """
    if not rule.is_file():
        raise FileNotFoundError(f"the rule for the weights, '{rule}', does not exist: name it with "
                                '--weights-rule')
    spec = importlib.util.spec_from_file_location('seeded_weights', rule)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    state, worst = {}, 0.0
    for key, entry in keys.items():
        if not entry['seeded'] or (entry.get('only_with_mlm') and not with_mlm):
            continue
        value = module.seeded_tensor(key, entry['shape'])
        # the rounding error of a sum is proportional to the magnitude of its terms
        scale = max(entry['l2'] * value.size**0.5, 1e-12)
        worst = max(worst, abs(float(value.sum(dtype=np.float64)) - entry['sum']) / scale)
        state[key] = torch.from_numpy(np.asarray(value))
    return state, Row('weights', worst, 1e-6, 'sums, relative')


def build_model(keys: dict[str, dict[str, Any]], state: dict[str, Tensor],
                with_mlm: bool | None = None) -> tuple[nn.Module, LoadReport]:
    """Build our model and load official weights through the converter.

    Args:
        keys: Entries of ``keys.json``.
        state: Weights in official naming.
        with_mlm: Whether to add the masked-language head; default: if ``state`` holds it.

    Returns:
        Model in evaluation mode, and the loader's report.
    """
    if with_mlm is None:
        with_mlm = any('.mlm_head.' in k for k in state)
    shapes = {k: tuple(v['shape']) for k, v in keys.items()}
    with tempfile.TemporaryDirectory() as folder:
        model = MODELS.build(model_config(shapes, Path(folder), with_mlm))
    report = load_glip_checkpoint(model, {'model': {f'module.{k}': v for k, v in state.items()}})
    return model.eval(), report
