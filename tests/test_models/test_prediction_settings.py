"""``model.test_cfg``: known keys, those of MMDetection, and settings that calls pass on."""

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
    (dict(min_bbox_size=2), 'min_bbox_size is not supported'),
    (dict(score_agg='mean'), "score_agg='mean': choose one of"),
    (dict(dtype='bf16'), "dtype='bf16': choose one of float32, bfloat16, float16, or None"),
    (dict(score_agg=['MEAN']), 'score_agg=.*: choose one of'),
    *((dict({key: value}), f'model.test_cfg.{key}={value!r}: give a whole number from 1 on')
      for key, wrong in dict(nms_pre=(0, None, '1000', 1.5), max_per_img=(0, -7, None, True),
                             chunked_size=(0, -4, '2', 1.5), chunk_batch=(0, -1, '2')).items()
      for value in wrong),
    *((dict({key: value}), f'model.test_cfg.{key}={value!r}: give a number from 0 to 1')
      for key, wrong in dict(score_thr=(float('nan'), 'abc', None, 2),
                             iou_threshold=(-1, '0.5', 7)).items() for value in wrong),
    (dict(last_pixel='no'), 'give True or False'), (dict(chunk_merge=5), 'give a dict of'),
    (dict(chunk_merge=dict(iou_threshold='x')), 'chunk_merge.iou_threshold=.x.: give a number'),
    (dict(chunk_merge=dict(max_per_img=0)), 'chunk_merge.max_per_img=0: give a whole number'),
    (dict(nms='nms'), r"nms='nms': give dict\(type="), (5, 'model.test_cfg=5: give a dict of')])
def test_what_has_no_meaning_here_is_explained(test_cfg, message):
    with pytest.raises(ValueError, match=message):
        PredictionSettings.from_config(test_cfg)


def test_attributes_are_set_as_mmdetections_image_demo_does():
    settings = PredictionSettings(chunk_merge=dict(iou_threshold=0.7))
    settings.chunked_size = 40
    settings.chunk_merge = dict(max_per_img=9)
    assert settings == PredictionSettings(chunked_size=40, chunk_merge=ChunkMerge(None, 9))
    with pytest.raises(ValueError, match='chunked_size=0: give a whole number'):
        settings.chunked_size = 0
    with pytest.raises(AttributeError, match="no setting 'chunk_size', only score_thr, "):
        settings.chunk_size = 40
    assert settings.max_classes == 40


def test_a_copy_has_values_of_its_own():
    settings = PredictionSettings(chunk_merge=dict(iou_threshold=0.7))
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


def test_keys_of_mmdetection_win_over_those_of_a_base():
    assert PredictionSettings.from_config(dict(
        iou_threshold=0.6, max_per_img=100, nms=dict(type='nms', iou_threshold=0.5),
        max_per_image=50)) == PredictionSettings(iou_threshold=0.5, max_per_img=50)


def test_what_is_assigned_is_checked(tiny_bert):
    model = build_nano(tiny_bert)
    model.test_cfg = dict(chunked_size=3)
    assert model.test_cfg == PredictionSettings(chunked_size=3)
    with pytest.raises(ValueError, match="model.test_cfg='x': give a dict"):
        model.test_cfg = 'x'


@pytest.mark.parametrize('wrong', [5, None, '', [''], [3]])
def test_strictness_that_is_none(tiny_bert, wrong):
    with pytest.raises(ValueError, match='model.strict_load=.*give True, False, or a list'):
        build_nano(tiny_bert, strict_load=wrong)
