"""Recording of the tensors that the reference stored, during a forward pass."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import torch
from mmdet.structures import DetDataSample
from torch import Tensor, nn

from .golden import GoldenCase

LEVELS = ('p3', 'p4', 'p5', 'p6', 'p7')


class Captured(dict[str, np.ndarray]):
    """Tensors by their names in the reference."""

    def put(self, name: str, value: Tensor) -> None:
        """Store a copy of a tensor."""
        self[name] = value.detach().float().cpu().numpy().copy()

    def put_levels(self, prefix: str, maps: Sequence[Tensor]) -> None:
        """Store a copy of each feature pyramid level."""
        for level, value in zip(LEVELS, maps):
            self.put(f'{prefix}.{level}', value)


@contextlib.contextmanager
def recording(model: nn.Module) -> Iterator[tuple[Captured, list[Any]]]:
    """Record all stages of the next forward pass.

    Args:
        model: A GLIP.

    Yields:
        Tensors by name, and a list that receives the output of ``model.ground``.
    """
    got, grounded, sizes, handles = Captured(), [], [], []
    shapes = sizes

    def on(module: nn.Module, action) -> None:
        handles.append(module.register_forward_hook(lambda m, args, out: action(out)))

    def backbone(out: Sequence[Tensor]) -> None:
        for stage, value in zip((3, 4, 5), out):
            got.put(f'backbone.stage{stage}', value)

    def neck(out: Sequence[Tensor]) -> None:
        shapes[:] = [x.shape[-2:] for x in out]
        got.put_levels('fpn', out)

    def head(out: Sequence[Any]) -> None:
        for level, o, (h, w) in zip(LEVELS, out, shapes):
            batch = len(o.logits)
            got.put(f'head.dot_product_logits.{level}', o.logits)
            got.put(f'head.bbox_pred.{level}', o.deltas.transpose(1, 2).reshape(batch, 4, h, w))
            got.put(f'head.centerness.{level}', o.centerness.reshape(batch, 1, h, w))

    def attention(i: int):
        def keep(out: tuple[Tensor, Tensor]) -> None:
            visual, text = out
            parts = visual.transpose(1, 2).split([h * w for h, w in shapes], dim=2)
            got.put_levels(f'tower.fuse{i}', [p.unflatten(2, s) for p, s in zip(parts, shapes)])
            got.put(f'tower.fuse{i}.lang', text)
        return keep

    on(model.backbone, backbone)
    on(model.neck, neck)
    on(model.bbox_head, head)
    for i, block in enumerate(model.fusion_neck.layers):
        if block.attention is not None:
            on(block.attention, attention(i))
            on(block.text, lambda out, i=i: got.put(f'tower.bert{i}.lang', out))
        on(block.conv, lambda out, i=i: got.put_levels(f'tower.dyconv{i}', out))

    def ground(feats, text, *more):
        got.put('lang.hidden', text.hidden)
        got.put('lang.embedded', text.embedded)
        grounded.append(type(model).ground(model, feats, text, *more))
        return grounded[-1]

    model.ground = ground
    try:
        yield got, grounded
    finally:
        del model.ground
        for handle in handles:
            handle.remove()


def load_batch(case: GoldenCase, model: nn.Module,
               training: bool) -> tuple[Tensor, list[DetDataSample]]:
    """Load the images of a case, preprocessed by the model.

    Args:
        case: Case that names its images, which lie in ``images/`` beside the model's folder.
        model: A GLIP.
        training: Whether to preprocess for training.

    Returns:
        ``[B, 3, H, W]`` and one data sample per image, in the coordinates of the resized image.
    """
    folder: Path = case.path.parent.parent / 'images'
    inputs, samples = [], []
    for image, size in zip(case.meta['images'], case.meta['image_sizes_hw']):
        pixels = mmcv.imread(str(folder / f'{image}.png'))  # BGR
        if pixels is None or list(pixels.shape[:2]) != list(size):
            raise ValueError(f"image '{folder / image}.png' is "
                             f"{'unreadable' if pixels is None else pixels.shape[:2]}, the case "
                             f'needs {tuple(size)}')
        inputs.append(torch.from_numpy(pixels).permute(2, 0, 1).contiguous())
        samples.append(DetDataSample(metainfo=dict(
            img_shape=tuple(size), ori_shape=tuple(size), scale_factor=(1.0, 1.0))))
    data = model.data_preprocessor(dict(inputs=inputs, data_samples=samples), training)
    return data['inputs'], data['data_samples']
