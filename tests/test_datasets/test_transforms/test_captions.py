"""Pseudo boxes are filtered, captions of other images are put beside an image's own."""

import json

import numpy as np
import pytest

from glip_mm.datasets.bad_sample import BadSample
from glip_mm.datasets.transforms import (
    BuildPrompt,
    FilterPseudoBoxes,
    GreenlightSpans,
    PackCaptions,
    ReplaceCaption,
)
from glip_mm.datasets.transforms.caption_packing import count_packed, pack_captions, select_fitting

CAPTION = 'a dog on a sofa'
OTHERS = ['two cats.', 'a train', 'a red bus stops']


def row(scores=(0.9, 0.6), labels=(0, 0)):
    boxes = [[10 * i, 0, 10 * i + 9, 9] for i in range(len(scores))]
    return dict(img_path='a.jpg', text=CAPTION, instances=[
        dict(bbox=b, bbox_label=k, score=s, ignore_flag=0)
        for b, k, s in zip(boxes, labels, scores)],
        phrases={0: dict(phrase='a dog', tokens_positive=[[0, 5]]),
                 1: dict(phrase='a sofa', tokens_positive=[[[9, 15]]])})


def loaded(**kwargs):
    return dict(row(), gt_bboxes=np.zeros((2, 4), dtype=np.float32),
                gt_bboxes_labels=np.array([0, 1]), gt_ignore_flags=np.zeros(2, dtype=bool),
                **kwargs)


class WordPackCaptions(PackCaptions):
    """Counts words instead of tokens, and 2."""

    def count_tokens(self, texts):
        return [len(text.split()) + 2 for text in texts]


# ---------------------------------------------------------------- filters

def test_confidence_is_strict():
    out = FilterPseudoBoxes(min_score=0.6)(row())
    assert [i['score'] for i in out['instances']] == [0.9]
    assert FilterPseudoBoxes(min_score=0.9)(row()) is None
    assert len(FilterPseudoBoxes(min_score=None)(row((0.1, 0.0)))['instances']) == 2


@pytest.mark.parametrize('count, enough', [('boxes', True), ('entities', False)])
def test_the_first_count_is_of_boxes_or_of_phrases(count, enough):
    transform = FilterPseudoBoxes(min_score=0.5, min_boxes=2, count=count)
    assert (transform(row()) is not None) == enough
    # what is left after the screen is counted in boxes either way
    assert transform(row((0.9, 0.9, 0.1), (0, 0, 1))) is not None
    assert transform(row((0.9, 0.1, 0.1), (0, 0, 1))) is None


def test_suppression_knows_no_classes():
    given = row((0.8, 0.9, 0.7), (0, 1, 0))
    given['instances'][0]['bbox'] = [10, 0, 19, 10]  # 8 of 9 rows of the second
    out = FilterPseudoBoxes(min_score=0.5, nms_iou=0.5)(given)
    assert [i['score'] for i in out['instances']] == [0.9, 0.7]
    out = FilterPseudoBoxes(min_score=0.5, nms_iou=0.95)(row((0.8, 0.9, 0.7), (0, 1, 0)))
    assert len(out['instances']) == 3


def test_suppression_measures_inclusive_corners():
    """[0, 0, 10, 10] and [0, 0, 10, 5] overlap by 4/9 in inclusive corners, 5/10 in half open."""
    given = row((0.9, 0.8))
    given['instances'][0]['bbox'], given['instances'][1]['bbox'] = [0, 0, 10, 10], [0, 0, 10, 5]
    assert len(FilterPseudoBoxes(0.5, nms_iou=0.47)(dict(given))['instances']) == 2
    assert len(FilterPseudoBoxes(0.5, nms_iou=0.43)(dict(given))['instances']) == 1


def test_complete_captions_have_a_box_for_every_phrase():
    complete = FilterPseudoBoxes(0.5, complete=True)
    assert complete(row()) is None  # no box for the sofa
    assert complete(row(labels=(0, 1))) is not None
    assert complete(row((0.9, 0.4), (0, 1))) is None  # none that is good enough
    assert complete(dict(row(labels=(0, 1)), num_without_box=1)) is None


def test_rows_that_are_no_pseudo_boxes_pass():
    given = row()
    for instance in given['instances']:
        del instance['score']
    assert FilterPseudoBoxes(min_score=0.99)(given) is given
    assert FilterPseudoBoxes()(dict(row(), instances=[])) is None


# ---------------------------------------------------------------- packing

def test_published_number_of_captions():
    rng = np.random.RandomState(0)
    counts = np.bincount([count_packed(20, 0.5, 0.4, rng) for _ in range(20000)],
                         minlength=21) / 20000
    assert counts[0] == pytest.approx(0.4 + 0.3 / 20, abs=0.02)
    assert counts[20] == pytest.approx(0.3, abs=0.02)
    assert np.abs(counts[1:20] - 0.3 / 20).max() < 0.01
    assert {count_packed(20, -1, 0.4, rng) for _ in range(20)} == {20}
    assert {count_packed(0, 0.5, 0.4, rng) for _ in range(20)} == {0}


def test_captions_fit_the_budget():
    rng = np.random.RandomState(0)
    assert select_fitting([5, 5], 5, rng) == []  # strictly less
    kept = {tuple(select_fitting([30, 4, 4, 4], 10, rng)) for _ in range(50)}
    # the long one is passed over, not the end; 10 - 4 leaves 6 for one more
    assert {len(k) for k in kept} == {2} and all(0 not in k for k in kept)
    assert len(kept) == 6


def test_every_span_moves_with_its_caption():
    seen = set()
    for seed in range(30):
        np.random.seed(seed)
        out = WordPackCaptions(3, full_prob=-1, captions=OTHERS)(row())
        text = out['text']
        spans = [p['tokens_positive'] for p in out['phrases'].values()]
        assert [text[slice(*spans[0][0])], text[slice(*spans[1][0][0])]] == ['a dog', 'a sofa']
        assert text[slice(*out['positive_span'])] == CAPTION
        assert text.endswith('. ') and '..' not in text and text.count('. ') == 4
        seen.add(out['positive_span'][0])
    assert len(seen) > 3


def test_own_caption_is_found_again_among_its_twins():
    rng = np.random.RandomState(0)
    begins = {pack_captions('a', ['a', 'a'], rng).span[0] for _ in range(30)}
    assert begins == {0, 3, 6}


def test_no_negative_leaves_the_caption_as_it_is():
    out = WordPackCaptions(5, none_prob=1.0, captions=OTHERS)(row())
    assert out['text'] == CAPTION and out['positive_span'] == (0, len(CAPTION))


def test_the_data_set_gives_captions_and_no_image():
    asked = []

    def other(rng):
        asked.append(rng.randint(10))
        return f'caption {asked[-1]}'

    out = WordPackCaptions(4, full_prob=-1)(dict(row(), other_caption=other))
    assert len(asked) == 4 and 'img' not in out and out['text'].count('caption') == 4
    with pytest.raises(BadSample, match='gave None'):
        WordPackCaptions(1, full_prob=-1)(dict(row(), other_caption=lambda rng: None))
    with pytest.raises(KeyError, match='captions=FILE'):
        WordPackCaptions(1, full_prob=-1)(row())


@pytest.mark.parametrize('name', ['captions.txt', 'captions.json'])
def test_captions_of_a_file(tmp_path, name):
    path = tmp_path / name
    path.write_text(json.dumps(OTHERS) if name.endswith('json') else '\n'.join(OTHERS) + '\n\n')
    out = WordPackCaptions(2, full_prob=-1, captions=str(path))(row())
    assert any(other in out['text'] for other in OTHERS)
    path.write_text('[]' if name.endswith('json') else '')
    with pytest.raises(ValueError, match='at least one caption'):
        WordPackCaptions(2, full_prob=-1, captions=str(path))(row())


def test_packed_prompts_fit_the_model():
    others = [' '.join(['unbelievably'] * n) for n in range(1, 60)]
    transform = PackCaptions(20, full_prob=-1, captions=others)
    prompts = BuildPrompt()
    for seed in range(20):
        np.random.seed(seed)
        out = prompts(transform(loaded()))
        assert prompts.count_tokens(out['prompt'].caption) + 2 <= 256
        assert len(out['gt_bboxes']) == 2  # nothing was cut


def test_a_seed_repeats_the_captions():
    def captions(seed):
        np.random.seed(seed)
        transform = WordPackCaptions(3, captions=OTHERS)
        return [transform(row())['text'] for _ in range(10)]

    assert captions(1) == captions(1) != captions(2)


def test_detection_images_pass():
    given = dict(text={0: 'cat'})
    assert WordPackCaptions(3, full_prob=-1, captions=OTHERS)(given) is given
    assert ReplaceCaption(1.0, OTHERS)(given) is given


# ---------------------------------------------------------------- negative captions

def test_a_replaced_caption_has_nothing_to_find():
    given = loaded()
    out = ReplaceCaption(1.0, OTHERS)(given)
    assert out['text'] in OTHERS and out['phrases'] == {} and out['instances'] == []
    out = GreenlightSpans()(BuildPrompt()(out))
    assert out['prompt'].caption in OTHERS and out['prompt'].entities == ()
    assert [len(out[k]) for k in ('gt_bboxes', 'gt_bboxes_labels', 'gt_ignore_flags')] == [0] * 3
    assert out['greenlight_spans'] == []


def test_captions_are_replaced_as_often_as_asked():
    np.random.seed(0)
    transform = ReplaceCaption(0.25, OTHERS)
    share = np.mean([transform(row())['text'] != CAPTION for _ in range(1000)])
    assert share == pytest.approx(0.25, abs=0.04)
    with pytest.raises(ValueError, match='ReplaceCaption.prob'):
        ReplaceCaption(2)


# ---------------------------------------------------------------- greenlight

def test_greenlight_of_captions():
    np.random.seed(0)
    packed = BuildPrompt()(WordPackCaptions(2, full_prob=-1, captions=OTHERS)(loaded()))
    text = packed['prompt'].caption

    def spans(**kwargs):
        return GreenlightSpans(**kwargs)(dict(packed))['greenlight_spans']

    assert spans() == [(0, len(text))]
    (begin, end), = spans(only_positive=True)
    assert text[begin:end] == CAPTION
    assert spans(no_mask_for_gold=True) is None
    assert spans(no_mask_for_od=True) == [(0, len(text))]


def test_greenlight_of_class_names():
    given = dict(text={0: 'cat', 1: 'dog', 2: 'cow'}, img_path='a.jpg',
                 gt_bboxes=np.zeros((3, 4)), gt_bboxes_labels=np.array([2, 0, 2]))
    out = BuildPrompt()(given)

    def spans(**kwargs):
        return GreenlightSpans(**kwargs)(dict(out))['greenlight_spans']

    assert sorted(out['prompt'].caption[b:e] for b, e in spans()) == ['cat', 'cow']
    assert spans(no_mask_for_od=True) is None and spans(no_mask_for_gold=True) == spans()
