"""The detector of a fixed vocabulary finds what the model predicts."""

import copy

import numpy as np
import pytest
import torch

from glip_mm.deploy import FixedVocabularyDetector, Metadata, Suppression, suppress
from glip_mm.deploy.checking import compare, drawn_image, predict, to_input
from glip_mm.deploy.portable import REPLACEMENTS
from glip_mm.models.layers.dynamic_conv import DeformBranch
from glip_mm.text import Prompt

from .conftest import NAMES

SIZE = (130, 190)  # padded to 160 x 192


def found_by_both(model, prompt=None, size=SIZE, **options):
    prompt = prompt or Prompt.from_names(NAMES)
    rule = Suppression.of(model)
    detector = FixedVocabularyDetector(model, prompt, **options)
    pixels = drawn_image(size)
    with torch.no_grad():
        image = torch.from_numpy(to_input(pixels, Metadata.of(detector, rule)))
        found = [part.numpy() for part in suppress(*detector(image), rule)]
    return predict(model, pixels, prompt), found


def assert_equal(reference, found):
    difference = compare(reference, found)
    assert difference.count > 5 and difference.alone == 0, difference


@pytest.mark.parametrize('fuse', [False, True])
@pytest.mark.parametrize('swin', [False, True])
def test_one_prompt(build, fuse, swin):
    assert_equal(*found_by_both(build(fuse=fuse, swin=swin)))


@pytest.mark.parametrize('fuse', [False, True])
@pytest.mark.parametrize('merge', [None, dict(iou_threshold=0.3, max_per_img=20)])
def test_long_vocabulary(build, fuse, merge):
    model = build(fuse=fuse, test_cfg=dict(chunked_size=2, chunk_merge=merge))
    assert_equal(*found_by_both(model))


@pytest.mark.parametrize('score_agg', ['MAX', 'POWER', 'ONEHOT'])
def test_aggregations(build, score_agg):
    test_cfg = dict(score_agg=score_agg, score_thr=0.05)
    assert_equal(*found_by_both(build(test_cfg=test_cfg)))


@pytest.mark.parametrize('size', [-1, 2])
def test_a_text_for_each_class(build, tmp_path, size):
    path = tmp_path / 'knowledge.json'
    path.write_text('{"cat": "a small animal"}')
    assert_equal(*found_by_both(build(
        fuse=False, class_texts=dict(knowledge=str(path)), test_cfg=dict(chunked_size=size))))


def test_caption(build):
    prompt = Prompt.from_caption('a cat on a sofa', [[[0, 5]], [[9, 15]]])
    assert_equal(*found_by_both(build(), prompt))


@pytest.mark.parametrize('options', [dict(rgb=True), dict(normalize=False)])
@pytest.mark.parametrize('conversion', [False, True])
def test_inputs(build, options, conversion):
    model = build()
    model.data_preprocessor._channel_conversion = conversion
    assert_equal(*found_by_both(model, **options))


def test_rgb_of_normalised_pixels_is_refused(build):
    with pytest.raises(ValueError, match='rgb=True needs normalize=True'):
        FixedVocabularyDetector(build(), Prompt.from_names(NAMES), normalize=False, rgb=True)


def test_padding_that_does_not_suit_the_backbone_is_refused(build):
    model = build(swin=True)
    model.data_preprocessor.pad_size_divisor = 16
    with pytest.raises(ValueError, match='pad_size_divisor is 16'):
        FixedVocabularyDetector(model, Prompt.from_names(NAMES))


def test_no_limit_of_candidates_is_refused(build):
    with pytest.raises(ValueError, match='nms_pre=-1 cannot be exported'):
        FixedVocabularyDetector(build(test_cfg=dict(nms_pre=-1)), Prompt.from_names(NAMES))


def test_the_model_stays_as_it_was(build):
    model = build(swin=True)
    before = copy.deepcopy(str(model))
    detector = FixedVocabularyDetector(model, Prompt.from_names(NAMES))
    assert str(model) == before
    assert not any(type(module) in REPLACEMENTS for module in detector.modules())
    for module, implementation in ((model, None), (detector, 'grid_sample')):
        assert {part.implementation for part in module.modules()
                if isinstance(part, DeformBranch)} == {implementation}
    own = {p.data_ptr() for p in model.parameters()}
    assert all(p.data_ptr() in own for p in detector.parameters())  # weights are shared
    assert not any('language_model' in name for name, _ in detector.named_parameters())


def test_suppression_of_nothing():
    boxes, scores, labels = suppress(torch.zeros(2, 3, 4), torch.zeros(2, 3),
                                     torch.zeros(2, 3, dtype=torch.long))
    assert boxes.shape == (0, 4) and scores.shape == labels.shape == (0,)


def test_compare_tells_differences():
    boxes = np.array([[0, 0, 9, 9], [5, 5, 20, 20]], np.float32)
    scores, labels = np.array([0.9, 0.5], np.float32), np.array([0, 1])
    reference = (boxes, scores, labels)
    same = compare(reference, (boxes[::-1], scores[::-1], labels[::-1]))
    assert same.accepted and (same.count, same.box, same.score, same.alone) == (2, 0, 0, 0)
    for other in ((boxes + 0.02, scores, labels), (boxes, scores + 0.01, labels),
                  (boxes, scores, 1 - labels), (boxes[:1], scores[:1], labels[:1])):
        assert not compare(reference, other).accepted
        assert not compare(other, reference).accepted
    nothing = (boxes[:0], scores[:0], labels[:0])
    assert compare(nothing, nothing).accepted
