"""Masks of boxes, by a tiny Segment Anything model of random weights."""

import json

import numpy as np
import pytest
import torch

from glip_mm.apis import GLIPInferencer
from glip_mm.apis.masks import Segmenter, decode_masks, encode_masks

NAMES = ['red circle', 'box']


@pytest.fixture(scope='module')
def sam(tmp_path_factory) -> str:
    from transformers import SamConfig, SamImageProcessorPil, SamModel, SamProcessor
    folder = str(tmp_path_factory.mktemp('sam'))
    config = SamConfig(
        vision_config=dict(hidden_size=16, output_channels=16, num_hidden_layers=1,
                           num_attention_heads=2, image_size=64, patch_size=8, window_size=4,
                           global_attn_indexes=[0], num_pos_feats=8, mlp_dim=16),
        prompt_encoder_config=dict(hidden_size=16, image_size=64, patch_size=8,
                                   mask_input_channels=4),
        mask_decoder_config=dict(hidden_size=16, mlp_dim=16, num_hidden_layers=1,
                                 num_attention_heads=2, iou_head_hidden_dim=16))
    torch.manual_seed(0)
    SamModel(config).save_pretrained(folder)
    SamProcessor(SamImageProcessorPil(
        size=dict(longest_edge=64), pad_size=dict(height=64, width=64),
        mask_size=dict(longest_edge=16), mask_pad_size=dict(height=16, width=16))
    ).save_pretrained(folder)
    return folder


def test_run_lengths():
    masks = np.random.default_rng(0).random((3, 7, 9)) > 0.5
    np.testing.assert_array_equal(decode_masks(encode_masks(masks)), masks)
    assert len(decode_masks([])) == 0


def test_masks_of_the_shown_boxes(inferencer, config, checkpoint, pictures, sam, tmp_path):
    model = GLIPInferencer(config, checkpoint, device='cpu', show_progress=False, masks=sam)
    results = model(pictures, NAMES, pred_score_thr=0.65, out_dir=tmp_path, return_vis=True)
    plain = inferencer(pictures, NAMES, pred_score_thr=0.65)
    for result, without in zip(results, plain):
        assert result.names == without.shown.names and len(result) > 0
        assert result.masks.shape == (len(result), 96, 128) and result.masks.dtype == bool
        assert without.masks is None and 'masks' not in without.to_dict()
    # what SAM itself finds
    first = results[0]
    np.testing.assert_array_equal(
        decode_masks(Segmenter(sam)(first.image, first.boxes)), first.masks)
    assert 0 < first.masks.mean() < 1
    np.testing.assert_array_equal(first.select(top_k=1).masks[0], first.masks[0])
    inside = first.masks.any(axis=0)
    drawn, other = (r.plot(caption=False, min_width=1) for r in (first, plain[0]))
    assert (drawn != other).any(axis=-1)[inside].mean() > 0.2  # boxes and tags hide the rest
    assert (drawn == other)[~inside].all()
    rows = results.to_coco()['annotations']
    assert rows[0]['area'] == first.masks[0].sum()
    assert rows[0]['segmentation'] == first.segments[0] == json.loads(
        (tmp_path / 'preds/0.json').read_text())['masks'][0]
    assert len(model(f'{pictures}/0.png', NAMES, pred_score_thr=1.)[0].masks) == 0


def test_what_is_no_sam(tmp_path, inferencer, config):
    with pytest.raises(ValueError, match="masks='.*' is no SAM that can be loaded"):
        GLIPInferencer(inferencer.model, cfg=config, masks=tmp_path)
