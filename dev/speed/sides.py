"""Our model and MMDetection's, with the same weights."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope
from torch import nn

from glip_mm.checkpoints import convert_state_dict
from glip_mm.registry import MODELS
from glip_mm.text.language_model_files import ASSETS

from .weights import seed_weights

ROOT = Path(__file__).parents[2]
CONFIGS = {'glip_t_a': 'glip_swin-t-a', 'glip_t_b': 'glip_swin-t', 'glip_l': 'glip_swin-l'}
#: Keys of MMDetection's model without a counterpart: constants.
CONSTANTS = ('relative_position_index', 'position_ids')
#: Sizes of a model for tests. MMDetection's fusion is 256 and 768 wide in any config.
NANO_BERT = dict(num_hidden_layers=1, intermediate_size=64)
NANO = dict(
    backbone=dict(embed_dims=16, depths=[1, 1, 1, 1], num_heads=[1, 2, 4, 8]),
    neck=dict(in_channels=[32, 64, 128]), fusion_neck=dict(num_layers=1))


def language_folder(folder: Path, nano: bool = False) -> str:
    """Write a folder with BERT's configuration and vocabulary for both models.

    Args:
        folder: Target folder.
        nano: Whether to use fewer and smaller layers.
    """
    shutil.copytree(ASSETS / 'bert-base-uncased', folder, dirs_exist_ok=True)
    if nano:
        path = folder / 'config.json'
        content = json.loads(path.read_text(encoding='utf-8'))
        path.write_text(json.dumps({**content, **NANO_BERT}), encoding='utf-8')
    return str(folder)


def our_config(model: str, language: str, nano: bool = False, checkpointing: bool = True) -> Config:
    """Build the config of our model without any randomness that MMDetection's does not have.

    Args:
        model: Name of the model, a key of ``CONFIGS``.
        language: Folder of the language model, see :func:`language_folder`.
        nano: Whether to use the tiny size of the tests.
        checkpointing: Whether to use gradient checkpointing in the fusion.
    """
    config = Config.fromfile(ROOT / 'configs' / '_base_' / 'models' / f'{CONFIGS[model]}.py')
    if nano:
        config.merge_from_dict(dict(model=NANO))
    config.model.backbone.update(init_cfg=None, convert_weights=False)
    config.model.language_model.update(name=language, pretrained=False)
    config.model.fusion_neck.with_cp = checkpointing
    config.model.neck.drop_prob = 0.0  # another implementation of the same regulariser
    return config


def build_ours(model: str, language: str, **kwargs: Any) -> nn.Module:
    """Build our detector with seeded weights; arguments as of :func:`our_config`."""
    with DefaultScope.overwrite_default_scope('glip_mm'):
        detector = MODELS.build(our_config(model, language, **kwargs).model)
    seed_weights(detector)
    return detector.eval()


def check_port() -> None:
    """Raise ImportError if MMDetection's GLIP cannot run in this environment."""
    import transformers
    from mmdet.models.utils import vlfuse_helper
    if vlfuse_helper.BertConfig is None:
        raise ImportError(
            f"MMDetection's GLIP cannot be used with transformers {transformers.__version__}: "
            'what dev/speed/port.py mends is not enough; measure with --ours-only')


def their_config(ours: Config, language: str, checkpointing: bool = True) -> ConfigDict:
    """Build the config of MMDetection's ``GLIP`` with ``ATSSVLFusionHead`` of the same sizes.

    The values are those of its ``glip_atss_swin-t_b_fpn_dyhead_16xb2_ms-2x_funtune_coco.py``.
    """
    model = ours.model
    fusion, test = model.fusion_neck, model.test_cfg
    backbone = {k: v for k, v in model.backbone.items() if k not in ('init_cfg', 'type')}
    neck = {k: v for k, v in model.neck.items()
            if k not in ('type', 'drop_prob', 'drop_size', 'init_cfg')}
    return ConfigDict(
        type='GLIP', data_preprocessor=dict(model.data_preprocessor),
        backbone=dict(type='SwinTransformer', **backbone), neck=dict(type='FPN', **neck),
        bbox_head=dict(
            type='ATSSVLFusionHead', lang_model_name=language, num_classes=80,
            in_channels=neck['out_channels'], feat_channels=neck['out_channels'],
            early_fuse=fusion.get('fuse', True), num_dyhead_blocks=fusion.num_layers,
            use_checkpoint=checkpointing and fusion.get('fuse', True),
            anchor_generator=dict(model.bbox_head.anchor_generator),
            bbox_coder=dict(type='DeltaXYWHBBoxCoderForGLIP', target_means=[.0] * 4,
                            target_stds=[0.1, 0.1, 0.2, 0.2]),
            loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25),
            loss_bbox=dict(type='GIoULoss', loss_weight=2.0),
            loss_centerness=dict(type='CrossEntropyLoss', use_sigmoid=True)),
        language_model=dict(type='BertModel', name=language),
        train_cfg=dict(assigner=dict(type='ATSSAssigner', topk=9,
                                     iou_calculator=dict(type='BboxOverlaps2D_GLIP')),
                       allowed_border=-1, pos_weight=-1, debug=False),
        test_cfg=dict(nms_pre=test.nms_pre, min_bbox_size=0, score_thr=test.score_thr,
                      nms=dict(type='nms', iou_threshold=test.iou_threshold),
                      max_per_img=test.max_per_img))


@contextlib.contextmanager
def _bert_without_weights() -> Iterator[None]:
    """Skip the weight file that MMDetection's BERT always loads; all weights are copied later."""
    from mmdet.models.language_models import bert
    real = bert.HFBertModel

    class FromConfig:
        @staticmethod
        def from_pretrained(name: str, add_pooling_layer: bool, config: Any) -> nn.Module:
            return real(config, add_pooling_layer=add_pooling_layer)

    bert.HFBertModel = FromConfig
    try:
        yield
    finally:
        bert.HFBertModel = real


def build_theirs(ours: nn.Module, config: Config, language: str,
                 checkpointing: bool = True) -> nn.Module:
    """Build MMDetection's detector with the weights of ours.

    Args:
        ours: Our detector.
        config: Config of our detector, from :func:`our_config`.
        language: Folder of the language model, see :func:`language_folder`.
        checkpointing: Whether to use gradient checkpointing in the fusion.

    Raises:
        ImportError: If MMDetection's port cannot be used with the installed transformers.
        KeyError: If a weight of either model has no counterpart in the other.
    """
    check_port()
    from mmdet.registry import MODELS as MMDET_MODELS
    with DefaultScope.overwrite_default_scope('mmdet'), _bert_without_weights():
        detector = MMDET_MODELS.build(their_config(config, language, checkpointing))
    copy_weights(ours, detector)
    return detector.eval()


def copy_weights(ours: nn.Module, theirs: nn.Module) -> None:
    """Copy all weights of our detector to MMDetection's.

    Raises:
        KeyError: If a weight of either model has no counterpart in the other.
    """
    state, _ = convert_state_dict(ours.state_dict(), 'mmdet')
    result = theirs.load_state_dict(state, strict=False)
    left: list[str] = [k for k in (*result.missing_keys, *result.unexpected_keys)
                       if not k.endswith(CONSTANTS)]
    if left:
        raise KeyError(f'{len(left)} weights of one model have no place in the other: {left[:5]}')
