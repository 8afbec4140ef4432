"""``model.test_cfg``: known keys, those of MMDetection, and settings that calls pass on."""

from dataclasses import FrozenInstanceError

import pytest
import torch

from glip_mm.models.dense_heads import ChunkMerge, PredictionSettings

from .nano import build_nano, data_sample, image


def test_an_unknown_key_is_named_at_once_with_the_known_ones(tiny_bert):
    with pytest.raises(ValueError, match=r"model.test_cfg has 'score_threshold', 'topk'; it knows "
                                         r"score_thr, nms_pre, .*nms=dict\(type='nms'"):
        build_nano(tiny_bert, test_cfg=dict(score_threshold=0.1, topk=3, nms_pre=10))
    with pytest.raises(ValueError, match="model.test_cfg.chunk_merge has 'iou'; it knows "
                                         'iou_threshold, max_per_img$'):
        PredictionSettings.from_config(dict(chunk_merge=dict(iou=0.5)))


def test_settings_of_mmdetection_are_understood(tiny_bert):
    model = build_nano(tiny_bert, test_cfg=dict(
        nms_pre=-1, min_bbox_size=0, score_thr=0.1, nms=dict(type='nms', iou_threshold=0.5),
        max_per_image=7))
    assert model.test_cfg == PredictionSettings(score_thr=0.1, nms_pre=-1, iou_threshold=0.5,
                                                max_per_img=7)
    assert PredictionSettings.from_config(dict(nms=None)).iou_threshold is None
    assert PredictionSettings.from_config(None) == PredictionSettings()


@pytest.mark.parametrize('test_cfg, message', [
    (dict(nms=dict(type='soft_nms', iou_threshold=0.5)), "nms={'type': 'soft_nms'.* not supported"),
    (dict(nms=dict(type='nms', iou_threshold=0.5, max_num=3)), "'max_num': 3} is not supported"),
    (dict(nms=dict(type='nms', iou_threshold=0.5, class_agnostic=True)), 'chunk_merge'),
    (dict(nms=dict(type='nms', iou_threshold=0.5), iou_threshold=0.6),
     'iou_threshold=0.6 and, in the keys of MMDetection, iou_threshold=0.5: leave one'),
    (dict(max_per_image=3, max_per_img=4), 'max_per_img=4 and'),
    (dict(min_bbox_size=2), 'min_bbox_size is not supported'),
    (dict(nms_pre=0), 'nms_pre=0 keeps no candidate'),
    (dict(chunk_batch=0), 'chunk_batch=0 must be at least 1'),
    (dict(score_agg='mean'), "score_agg is 'mean': choose one of")])
def test_what_has_no_meaning_here_is_explained(test_cfg, message):
    with pytest.raises(ValueError, match=message):
        PredictionSettings.from_config(test_cfg)


def test_settings_do_not_change():
    settings = PredictionSettings(chunk_merge=dict(iou_threshold=0.7))
    with pytest.raises(FrozenInstanceError):
        settings.score_thr = 0.5
    other = settings.replace(chunked_size=40, chunk_merge=None)
    assert (settings.max_classes, other.max_classes) == (None, 40)
    assert settings.chunk_merge == ChunkMerge(0.7) and other.chunk_merge == ChunkMerge()
    with pytest.raises(TypeError, match='topk'):
        settings.replace(topk=1)


@torch.no_grad()
def test_a_call_has_settings_of_its_own(nano):
    torch.nn.init.normal_(nano.bbox_head.text_projection.weight, std=3.0)
    nano.eval()
    before = nano.test_cfg
    few = before.replace(score_thr=1e-3, max_per_img=3)

    def count(**kwargs):
        data = dict(inputs=[image()], data_samples=[data_sample(('cat', 'dog'))])
        return len(nano.test_step(data, **kwargs)[0].pred_instances)

    assert count(settings=few) == 3
    assert count(settings=few.replace(max_per_img=5)) == 5
    assert count(settings=few.replace(chunked_size=1)) == 6  # each chunk has its own budget
    assert nano.test_cfg is before and count() == count(settings=before)
