"""Coarse to fine over a vocabulary: a small copy of the image picks the names."""

import pytest
import torch
from mmengine.registry import DefaultScope

from glip_mm.models.dense_heads import PredictionSettings, Shortlist
from glip_mm.models.detectors.shortlist import small_copies
from glip_mm.registry import MODELS

from .nano import build_nano, data_sample, image, predict

NAMES = tuple('cat, red car, dining table, dog, traffic light, cup, tall green tree, boat, pen, '
              'wooden chair, bus'.split(', '))


def make(tiny_bert, **settings):
    """A nano model that finds something in noise."""
    model = build_nano(tiny_bert, **settings.pop('model', {})).eval()
    torch.nn.init.normal_(model.bbox_head.text_projection.weight, std=3.0)
    model.test_cfg = model.test_cfg.replace(score_thr=1e-3, chunked_size=4, **settings)
    return model


@pytest.fixture
def model(tiny_bert):
    return make(tiny_bert)


def found_by(model, images, names=NAMES, **settings):
    model.test_cfg = model.test_cfg.replace(**settings)
    found = predict(model, images, [data_sample(names, size=x.shape[1:]) for x in images])
    return [sample.pred_instances for sample in found]


def same(a, b):
    assert len(a) == len(b) > 0 and torch.equal(a.labels, b.labels)
    torch.testing.assert_close(a.scores, b.scores, rtol=0, atol=1e-5)
    torch.testing.assert_close(a.bboxes, b.bboxes, rtol=0, atol=1e-3)


def best_names(model, pixels, count, names=NAMES):
    """The plain formula: the best box of each name in the image at half its size."""
    everything = model.test_cfg.replace(score_thr=0, nms_pre=-1, iou_threshold=None,
                                        max_per_img=-1, chunked_size=-1, shortlist=None)
    data = model.data_preprocessor(
        dict(inputs=[pixels], data_samples=[data_sample(names)]), False)
    with torch.no_grad():
        half = small_copies(data['inputs'], 0.5, 32)
        found = model.predict(half, data['data_samples'], settings=everything)[0].pred_instances
    best = [found.scores[found.labels == label].max() for label in range(len(names))]
    return torch.stack(best).topk(count).indices.sort().values


@pytest.mark.parametrize('options', [
    {}, dict(fuse=False), dict(fuse=False, class_texts={})], ids=['fused', 'unfused', 'each'])
def test_only_the_best_names_of_the_small_copy_are_looked_for(tiny_bert, options):
    model = make(tiny_bert, model=options)
    pixels = image(3)
    kept = best_names(model, pixels, 5)
    found, = found_by(model, [pixels], shortlist=5)
    alone, = found_by(model, [pixels], [NAMES[i] for i in kept], shortlist=None)
    alone.labels = kept[alone.labels]  # labels are those of the whole vocabulary
    same(found, alone)
    assert found.label_names == [NAMES[i] for i in found.labels] == alone.label_names
    assert set(found.labels.tolist()) <= set(kept.tolist()) < set(range(len(NAMES)))
    everything, = found_by(model, [pixels])
    assert len(set(everything.labels.tolist())) > 5


@pytest.mark.parametrize('size', [len(NAMES), 80])
def test_as_many_names_as_there_are_change_nothing(model, size):
    without, = found_by(model, [image()])
    calls = []
    model.backbone.register_forward_hook(lambda *_: calls.append(1))
    short, = found_by(model, [image()], shortlist=size)
    assert torch.equal(short.bboxes, without.bboxes) and torch.equal(short.labels, without.labels)
    assert torch.equal(short.scores, without.scores) and len(calls) == 1  # no small copy
    found_by(model, [image()], shortlist=size if size < len(NAMES) else len(NAMES) - 1)
    assert len(calls) == 3


@pytest.mark.parametrize('chunk_batch', [None, 3])
def test_each_image_of_a_batch_has_its_own_names(model, chunk_batch):
    images = [image(seed) for seed in range(3)]
    settings = dict(shortlist=dict(size=4, chunked_size=3), chunk_batch=chunk_batch)
    together = found_by(model, images, **settings)
    alone = [found_by(model, [pixels], **settings)[0] for pixels in images]
    for one, other in zip(together, alone):
        same(one, other)
    assert len({tuple(one.labels.unique().tolist()) for one in alone}) > 1


def test_captions_are_taken_whole(model):
    samples = [data_sample('a cat on a red table', tokens_positive=[[[0, 5]], [[9, 20]]]),
               data_sample(NAMES)]
    model.test_cfg = model.test_cfg.replace(shortlist=1)
    caption, names = (s.pred_instances for s in predict(model, [image(), image()], samples))
    assert set(caption.label_names) == {'a cat', 'a red table'} and len(set(names.label_names)) == 1


def test_each_view_of_test_time_augmentation_has_its_own_names(model):
    small, large = image(1), image(2, (96, 128))
    samples = [data_sample(NAMES, size=x.shape[1:], scale=x.shape[1:]) for x in (small, large)]
    alone = [found_by(model, [x], shortlist=3)[0] for x in (small, large)]
    with DefaultScope.overwrite_default_scope('glip_mm'):
        views = MODELS.build(dict(type='GLIPTTAModel', module=model)).eval()
    with torch.no_grad():
        merged = views.test_step(dict(inputs=[[small], [large]], data_samples=[
            [one] for one in samples]))[0].pred_instances
    assert set(merged.labels.tolist()) == {i for one in alone for i in one.labels.tolist()}
    assert merged.label_names == [NAMES[i] for i in merged.labels]


def test_small_copies_are_padded_as_a_loader_pads():
    images = torch.arange(64.).expand(2, 3, 96, 64)
    small = small_copies(images, 0.5, 32)
    assert small.shape == (2, 3, 64, 32)
    assert torch.equal(small[..., 48:, :], torch.zeros(2, 3, 16, 32))
    torch.testing.assert_close(small[0, 0, 10, 1:-1], torch.arange(2.5, 61, 2))


def test_settings():
    assert PredictionSettings().shortlist is None
    assert PredictionSettings(shortlist=7).shortlist == Shortlist(7, 0.5, -1)
    settings = PredictionSettings.from_config(dict(shortlist=dict(scale=0.25)))
    assert settings.shortlist == Shortlist(80, 0.25) and settings.replace(
        shortlist=None).shortlist is None
    for value, message in {
            0: r'shortlist.size=0: give a whole number', 'all': "shortlist.size='all'",
            True: 'shortlist.size=True'}.items():
        with pytest.raises(ValueError, match=message):
            PredictionSettings(shortlist=value)
    for value, message in (
            (dict(scale=0), 'shortlist.scale=0: give a number above 0'),
            (dict(scale=2), 'shortlist.scale=2: give a number above 0, up to 1'),
            (dict(chunked_size=0), 'shortlist.chunked_size=0'),
            (dict(sizes=3), "shortlist has 'sizes'; it knows size, scale, chunked_size")):
        with pytest.raises(ValueError, match=message):
            PredictionSettings(shortlist=value)
