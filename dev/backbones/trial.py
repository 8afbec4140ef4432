"""One try: build a model, train a step, predict."""

import copy
import functools
import importlib
import math
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from torch import nn

import glip_mm.models  # noqa: F401  registers
from glip_mm.compat import has_mmcv_ops
from glip_mm.registry import MODELS

from .entries import BACKBONES, ENTRIES, NOT_THERE

CONFIG = Path(__file__).parents[2] / 'configs/glip/glip_swin-t_o365.py'
#: What makes the rest of the model small.
SMALL = dict(language_model=dict(pretrained=False, depth=1),
             fusion_neck=dict(num_layers=1, embed_dim=64, num_heads=4))
SIZE = (64, 96)


@functools.cache
def _config() -> Config:
    return Config.fromfile(CONFIG)


def build(lines: Mapping) -> nn.Module:
    """Build and initialise a model of a released config with some lines changed."""
    config = copy.deepcopy(_config())
    for changes in (SMALL, lines):
        config.merge_from_dict(dict(model=copy.deepcopy(changes)))
    with DefaultScope.overwrite_default_scope('glip_mm'):
        model = MODELS.build(config.model)
    model.init_weights()
    return model


def run(model: nn.Module, idle: str = '') -> None:
    """Train a step and predict.

    Args:
        model: A GLIP.
        idle: how the names of the backbone's parameters begin that take no part; '': all do.

    Raises:
        ValueError: If losses, gradients or detections are not what they should be.
    """
    torch.manual_seed(0)
    samples = [_sample(('cat', 'red car'), [[10, 10, 50, 50]], [1]),
               _sample(('dog',), [[5, 20, 60, 62], [30, 5, 90, 40]], [0, 0])]
    data = dict(inputs=[torch.randint(0, 256, (3, *SIZE), dtype=torch.uint8) for _ in samples],
                data_samples=samples)
    model.train()
    losses = model(**model.data_preprocessor(data, True), mode='loss')
    total = sum(losses.values())
    if not math.isfinite(total.item()):
        raise ValueError(f'losses: {losses}')
    total.backward()
    learns = {name: p for name, p in model.backbone.named_parameters()
              if p.requires_grad and not (idle and name.startswith(idle))}
    without = [name for name, p in learns.items() if p.grad is None or not p.grad.isfinite().all()]
    if not learns or without:
        raise ValueError(f'{len(without)} of {len(learns)} trainable parameters of the backbone '
                         f'have no finite gradient: {without[:5]}')
    torch.optim.SGD([p for p in model.parameters() if p.grad is not None], 1e-3).step()
    model.eval()
    model.test_cfg = model.test_cfg.replace(score_thr=1e-4)
    with torch.no_grad():
        found = model.test_step(data)
    for sample in found:
        if not len(sample.pred_instances) or not sample.pred_instances.scores.isfinite().all():
            raise ValueError(f'detections: {sample.pred_instances}')


def attempt(name: str) -> str | None:
    """Try an entry of the tables.

    Args:
        name: Name of an entry.

    Returns:
        What is wrong; None if it works, or fails as the table says. It begins with
        :data:`NOT_THERE` if the package of the entry is not installed.
    """
    entry = ENTRIES[name]
    if entry.imports:
        try:
            importlib.import_module(entry.imports)
        except ImportError as error:
            return f'{NOT_THERE}: {error}'
    lines = entry.lines if 'backbone' in entry.lines else {
        'backbone': BACKBONES['ResNet'].lines['backbone'], **entry.lines}
    refused = entry.refused and not (entry.compiled and has_mmcv_ops())
    try:
        run(build(lines), entry.idle)
    # whatever a class of another package may raise
    except Exception as error:  # noqa: BLE001
        expected = (ValueError, NotImplementedError)  # a sentence of ours
        if refused and isinstance(error, expected):
            return None
        return f'{type(error).__name__}: {error}'
    return 'works, although the table says that it cannot' if refused else None


def timed_attempt(name: str) -> tuple[str | None, float]:
    """Try an entry in a process of one thread; return what is wrong, and seconds."""
    torch.set_num_threads(1)
    MMLogger.get_current_instance().setLevel('ERROR')  # the initialisation of every parameter
    start = time.time()
    return attempt(name), time.time() - start


def _sample(text: tuple[str, ...], boxes: list, labels: list) -> DetDataSample:
    sample = DetDataSample(metainfo=dict(img_shape=SIZE, ori_shape=SIZE, scale_factor=(1.0, 1.0),
                                         text=text))
    sample.gt_instances = InstanceData(bboxes=torch.tensor(boxes, dtype=torch.float32),
                                       labels=torch.tensor(labels))
    return sample
