"""Nothing between a prompt and its candidates waits for a GPU.

Tensors without values (``device='meta'``) raise wherever a program reads one; copies from the CPU
that would wait are counted.
"""

from contextlib import nullcontext

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from glip_mm.models.dense_heads import PredictionSettings
from glip_mm.models.dense_heads.atss_grounding_head import ATSSGroundingHead
from glip_mm.models.dense_heads.detection_selection import rank_candidates
from glip_mm.models.dense_heads.inclusive_boxes import to_original_frame
from glip_mm.models.layers import BiAttention, DynamicReLU, FusionTextLayer
from glip_mm.ops.fast_paths import plain


class WaitingCopies(TorchDispatchMode):
    """Counts blocking copies from the CPU to another device."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.ops.aten._to_copy.default and args[0].device.type == 'cpu':
            there = torch.device(kwargs.get('device') or 'cpu').type
            self.count += there != 'cpu' and not kwargs.get('non_blocking', False)
        return func(*args, **kwargs)


@pytest.fixture(autouse=True)
def host(monkeypatch):
    def waits(*args, **kwargs):
        raise AssertionError('makes a tensor on the CPU and copies it, where no mode sees it')

    monkeypatch.setattr(torch.Tensor, 'new_tensor', waits)
    # knows no such device
    monkeypatch.setattr(torch, 'autocast', lambda *args, **kwargs: nullcontext())
    monkeypatch.setattr(torch, 'is_autocast_enabled', lambda device: False)


def test_the_counter_counts():
    with WaitingCopies() as copies:
        torch.ones(2).to('meta', non_blocking=True)
        assert copies.count == 0
        torch.ones(2).to('meta')
        assert copies.count == 1
    with pytest.raises(RuntimeError):
        bool(torch.ones(2, device='meta').all())


@pytest.mark.parametrize('names', [(), ('fusion',)])
@pytest.mark.parametrize('train', [False, True])
def test_fusion(names, train):
    with torch.device('meta'):
        parts = BiAttention(16, 24, 32, 4), FusionTextLayer(24, 2, 48), DynamicReLU(16)
        visual, text = torch.empty(2, 40, 16), torch.empty(2, 7, 24)
        mask = torch.empty(2, 7, dtype=torch.bool)
        maps = torch.empty(2, 16, 5, 8)
    for part in parts:
        part.train(train and names == ('fusion',))  # a tile's dropout has a generator of its own
    with WaitingCopies() as copies, plain(*names), torch.set_grad_enabled(train):
        visual, text = parts[0](visual, text, mask)
        text, maps = parts[1](text, mask), parts[2](maps)
        if train:
            (visual.sum() + text.sum() + maps.sum()).backward()
    assert visual.shape == (2, 40, 16) and text.shape == (2, 7, 24)
    assert copies.count == 0


def test_from_maps_to_candidates():
    with torch.device('meta'):
        head = ATSSGroundingHead(in_channels=16, language_dim=24)
        feats = [torch.empty(2, 16, 32 >> i, 48 >> i) for i in range(5)]
        text = torch.empty(2, 7, 24)
    with torch.no_grad():
        head(feats, text)  # brings the generator's anchors over, once
        with WaitingCopies() as copies:
            levels = head(feats, text)
            boxes, scores, labels = rank_candidates(
                levels, torch.ones(2, 3, 7, dtype=torch.bool), [(200, 300), (256, 384)],
                PredictionSettings(nms_pre=100))
            original = to_original_frame(boxes[0], (.5, .5))
    kept = sum(min(100, 3 * (32 >> i) * (48 >> i)) for i in range(5))
    assert boxes.shape == (2, kept, 4) and scores.shape == labels.shape == (2, kept)
    assert original.shape == (kept, 4) and copies.count == 0
