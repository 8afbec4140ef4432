"""Chunks that share an image: what reads no words is computed once, with the same result."""

import pytest
import torch

from glip_mm.models.layers.dynamic_conv import flatten_levels
from glip_mm.models.layers.shared_image import once

from .nano import build_nano, data_sample, image, predict

LEVELS = [torch.rand(1, 4, 3, 5), torch.rand(1, 4, 2, 3)]


def test_one_image_is_computed_once_and_expanded():
    rows = []

    def double(x):
        rows.append(len(x))
        return 2 * x
    shared = torch.rand(1, 3).expand(4, -1)
    result = once(double, shared)
    assert torch.equal(result, 2 * shared) and result.stride(0) == 0
    copied = shared.contiguous()
    assert torch.equal(once(double, copied), result) and once(double, copied).stride(0) == 3
    assert torch.equal(once(double, shared[:1]), result[:1])
    assert rows == [1, 4, 4, 1]


def test_tokens_of_a_shared_pyramid_are_not_copied():
    tokens = flatten_levels([x.expand(3, -1, -1, -1) for x in LEVELS])
    assert torch.equal(tokens, flatten_levels([x.repeat(3, 1, 1, 1) for x in LEVELS]))
    assert tokens.shape == (3, 21, 4) and tokens.stride(0) == 0
    mixed = flatten_levels([LEVELS[0].expand(3, -1, -1, -1), LEVELS[1].repeat(3, 1, 1, 1)])
    assert torch.equal(mixed, tokens) and mixed.stride(0) != 0


@pytest.mark.parametrize('fuse', [True, False])
def test_chunks_share_all_that_reads_no_words(tiny_bert, fuse):
    model = build_nano(tiny_bert, fuse=fuse).eval()
    model.test_cfg = model.test_cfg.replace(score_thr=1e-3)
    torch.nn.init.normal_(model.bbox_head.text_projection.weight, std=3.0)
    names = tuple(f'thing number {i}' for i in range(6))
    model.test_cfg = model.test_cfg.replace(chunked_size=2, chunk_batch=3)
    seen = []
    block = model.fusion_neck.layers[0]
    part = block.attention.layer_norm_v if fuse else block.conv
    part.register_forward_hook(lambda module, args, out: seen.append(len(args[0])))
    found = predict(model, [image()], [data_sample(names)])[0].pred_instances
    # a normalisation of one image's tokens, or the whole tower on five maps of one image
    assert seen == [1 if fuse else len(model.bbox_head.scales)]
    model.test_cfg = model.test_cfg.replace(chunk_batch=1)
    alone = predict(model, [image()], [data_sample(names)])[0].pred_instances
    assert len(seen) == (4 if fuse else 2)
    assert len(found) > 20 and found.label_names == alone.label_names
    torch.testing.assert_close(found.bboxes, alone.bboxes, rtol=0, atol=1e-4)
    torch.testing.assert_close(found.scores, alone.scores, rtol=0, atol=1e-5)
