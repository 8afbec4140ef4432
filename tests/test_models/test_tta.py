"""Test-time augmentation merges what its views find."""

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from glip_mm.models.dense_heads import ChunkMerge, PredictionSettings
from glip_mm.models.detectors.glip_tta import flip_back
from glip_mm.registry import MODELS

from .nano import build_nano, data_sample, image, predict

NAMES = ('cat', 'dog', 'car')
SIZE = (64, 96)


def wrap(module, **settings):
    with DefaultScope.overwrite_default_scope('glip_mm'):
        return MODELS.build(dict(type='GLIPTTAModel', module=module, tta_cfg=settings)).eval()


def sample(**meta):
    return data_sample(NAMES, size=SIZE, **dict(dict(scale=(64, 96)), **meta))


def found(result):
    return result.pred_instances.bboxes, result.pred_instances.scores, result.pred_instances.labels


@pytest.fixture
def model(tiny_bert):
    return build_nano(tiny_bert, test_cfg=dict(score_thr=0.001, max_per_img=50))


@pytest.mark.parametrize('chunked_size', [-1, 1])
def test_one_plain_view_changes_nothing(model, chunked_size):
    model.test_cfg = model.test_cfg.replace(chunked_size=chunked_size)
    plain = predict(model, [image(1), image(2)], [sample(), sample()])
    if chunked_size == 1:
        # each chunk has its own budget; merged, there is one
        model.test_cfg = model.test_cfg.replace(max_per_img=10**6)
        plain = predict(model, [image(1), image(2)], [sample(), sample()])
    most = len(plain[0].pred_instances)
    views = wrap(model, max_per_img=most).test_step(dict(
        inputs=[[image(1), image(2)]], data_samples=[[sample(), sample()]]))
    for one, other in zip(views, plain):
        count = min(most, len(other.pred_instances))
        assert count > 10
        for a, b in zip(found(one), found(other)):
            torch.testing.assert_close(a[:count], b[:count], rtol=0, atol=1e-4)
        assert one.pred_instances.label_names[:count] == other.pred_instances.label_names[:count]


class Scripted(torch.nn.Module):
    """Finds what the sample says."""

    def __init__(self):
        super().__init__()
        self.test_cfg = PredictionSettings(chunk_merge=dict(max_per_img=1))
        self.seen = []

    def test_step(self, data, settings, rescale):
        samples = data['data_samples']
        self.seen.append((settings, rescale))
        for s in samples:
            boxes, scores, labels = s.script
            s.pred_instances = InstanceData(
                bboxes=torch.tensor(boxes), scores=torch.tensor(scores),
                labels=torch.tensor(labels), label_names=[NAMES[i] for i in labels])
        return samples


def view(script, **meta):
    return [DetDataSample(metainfo=dict(dict(img_shape=(50, 100), scale_factor=(1., 1.),
                                             scale=(50, 100), script=script), **meta))]


def test_views_go_back_to_the_original_and_are_merged_by_class():
    tta = wrap(Scripted(), ranges={100: (30, 1000)})
    views = [
        view(([[10., 5, 30, 25]], [.6], [0])),
        # the same object mirrored, found with more confidence, and one of another class there
        view(([[70., 5, 90, 25], [70, 5, 90, 25]], [.8, .3], [0, 1]), flip=True,
             flip_direction='horizontal'),
        # twice as large: the first is too small for this view, the second is not
        view(([[20., 10, 40, 30], [100, 20, 180, 90]], [.9, .5], [0, 2]), img_shape=(100, 200),
             scale=(100, 200), scale_factor=(2., 2.))]
    result = tta.test_step(dict(inputs=[[None]] * 3, data_samples=views))[0].pred_instances
    assert result.labels.tolist() == [0, 2, 1]
    assert result.scores.tolist() == pytest.approx([.8, .5, .3])
    assert result.label_names == ['cat', 'car', 'dog']
    # the last pixel is scaled as published: 179 / 2 + 1
    torch.testing.assert_close(result.bboxes, torch.tensor(
        [[10., 5, 30, 25], [50, 10, 90.5, 45.5], [10, 5, 30, 25]]))
    tta.module.test_cfg = tta.module.test_cfg.replace(last_pixel=False)
    result = tta.test_step(dict(inputs=[[None]], data_samples=views[:1]))[0].pred_instances
    assert result.bboxes.tolist() == [[10, 5, 29, 24]]


def test_candidates_are_not_suppressed_and_settings_stay():
    module = Scripted()
    before = module.test_cfg
    tta = wrap(module)
    tta.test_step(dict(inputs=[[None]], data_samples=[view(([[1., 1, 9, 9]], [.5], [0]))]))
    (settings, rescale), = module.seen
    assert (settings.iou_threshold, settings.max_per_img, rescale) == (None, -1, False)
    assert settings.chunk_merge == ChunkMerge() and settings.last_pixel
    assert module.test_cfg is before and before.iou_threshold == 0.6
    assert (before.max_per_img, before.chunk_merge.max_per_img) == (100, 1)


def test_ranges_are_of_the_area_in_the_view():
    tta = wrap(Scripted(), ranges={'50': (10, 20)})
    boxes = [[0., 0, 10, 10], [0, 0, 50, 4], [0, 0, 20, 20], [0, 0, 40, 9]]
    result = tta.test_step(dict(inputs=[[None]], data_samples=[
        view((boxes, [.9, .8, .7, .6], [0, 1, 2, 0]))]))[0].pred_instances
    assert result.bboxes.tolist() == [boxes[1], boxes[3]]


def test_what_cannot_be_understood_is_named():
    with pytest.raises(ValueError, match="got \\['soft_nms'\\]"):
        wrap(Scripted(), soft_nms=True)
    sideways = view(([[1., 1, 9, 9]], [.5], [0]), flip_direction='diagonal')[0]
    with pytest.raises(ValueError, match="'diagonal' cannot be undone"):
        flip_back(torch.zeros(1, 4), sideways)
    vertical = view(None, flip_direction='vertical')[0]
    assert flip_back(torch.tensor([[1., 2, 3, 5]]), vertical).tolist() == [[1, 45, 3, 48]]
    no_scale = view(([[1., 1, 9, 9]], [.5], [0]))
    no_scale[0].set_metainfo(dict())
    del no_scale[0].scale
    with pytest.raises(KeyError, match="'scale' in meta_keys"):
        wrap(Scripted(), ranges={50: (1, 2)}).test_step(
            dict(inputs=[[None]], data_samples=[no_scale]))
