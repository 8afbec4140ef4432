"""Left becomes right, and every span still marks its words."""

import numpy as np
import pytest

from glip_mm.datasets.bad_sample import BadSample
from glip_mm.datasets.transforms import BuildPrompt, FlipWithWords
from glip_mm.datasets.transforms.word_swapping import WordSwapper, move_spans
from glip_mm.registry import TRANSFORMS
from glip_mm.text import Prompt

CAPTION = 'Left man, right of a copyright sign, leftmost LEFT dog'


def image(**kwargs):
    return dict(img=np.zeros((8, 10, 3), dtype=np.uint8), img_path='a.jpg',
                gt_bboxes=np.array([[1., 2., 4., 6.]], dtype=np.float32),
                gt_bboxes_labels=np.array([1]), **kwargs)


def caption(**kwargs):
    phrases = {1: dict(phrase='Left man', tokens_positive=[[0, 8]]),
               3: dict(phrase='dog', tokens_positive=[[[51, 54]], [[37, 45]]])}
    return image(text=CAPTION, phrases=phrases, **kwargs)


@pytest.mark.parametrize('text, wanted', [
    ('left', 'right'), ('RIGHT', 'LEFT'), ('Left-hand', 'Right-hand'), ('left_shoe', 'right_shoe'),
    ('copyright', 'copyright'), ('bright lefty', 'bright lefty'), ('leftmost', 'rightmost'),
    ("the left's right2 right", "the right's right2 left"), ('', ''), ('cat', 'cat')])
def test_words(text, wanted):
    swapper = WordSwapper()
    assert swapper(text).text == swapper.replace(text) == wanted
    assert swapper.says(text) == (text != wanted)
    assert swapper(wanted).text == text


def test_every_span_follows_its_words():
    swapper = WordSwapper()
    new = swapper(CAPTION)
    for begin in range(len(CAPTION)):
        for end in range(begin + 1, len(CAPTION) + 1):
            b, e = new.span(begin, end)
            inside = not any(CAPTION[k - 1:k + 1].isalpha() for k in (begin, end)
                             if 0 < k < len(CAPTION))
            if inside:  # no word is cut
                assert new.text[b:e] == swapper.replace(CAPTION[begin:end])
            assert 0 <= b < e <= len(new.text)
    assert move_spans([[0, 8], [[51, 54]]], new)[0] == [0, 9]


def test_a_cut_word_is_taken_in_whole():
    new = WordSwapper()('a left b')
    assert [new.text[slice(*new.span(*s))] for s in ((3, 8), (0, 4), (3, 5))] == [
        'right b', 'a right', 'right']


def test_captions_are_mirrored_with_their_image():
    given = caption(positive_span=(0, 54))
    phrases = given['phrases']
    out = FlipWithWords(prob=1.0)(given)
    assert out['text'] == 'Right man, left of a copyright sign, rightmost RIGHT dog'
    assert out['flip'] and out['gt_bboxes'].tolist() == [[6, 2, 9, 6]]
    assert out['phrases'][1] == dict(phrase='Right man', tokens_positive=[[0, 9]])
    spans = out['phrases'][3]['tokens_positive']
    assert [out['text'][slice(*s[0])] for s in spans] == ['dog', 'rightmost']
    assert out['positive_span'] == (0, len(out['text']))
    assert phrases[1]['phrase'] == 'Left man'  # the row itself is as it was
    prompt = BuildPrompt()(out)['prompt']
    assert prompt.names == ['Right man', 'dog']


def test_before_and_after_the_prompt_is_the_same():
    flip = FlipWithWords(prob=1.0)
    before = BuildPrompt()(flip(caption()))['prompt']
    after = flip(dict(BuildPrompt()(caption()), greenlight_spans=[(0, 8)]))
    assert after['prompt'] == before and after['greenlight_spans'] == [[0, 9]]


def test_class_names_are_mirrored_without_touching_the_label_map():
    label_map = {'0': 'left shoe', '1': 'right_shoe', '2': 'cat'}
    out = FlipWithWords(prob=1.0)(image(text=label_map))
    assert out['text'] == {'0': 'right shoe', '1': 'left_shoe', '2': 'cat'}
    assert label_map['0'] == 'left shoe'
    assert FlipWithWords(prob=1.0)(image(text=('left', 'b')))['text'] == ('right', 'b')


def test_prompt_of_names_can_still_be_cut():
    prompt = WordSwapper().prompt(Prompt.from_names(['left shoe', 'right shoe', 'cat']))
    assert prompt == Prompt.from_names(['right shoe', 'left shoe', 'cat'])
    assert prompt.select([2, 0]).caption == 'cat. right shoe'


def test_other_modes():
    kept = FlipWithWords(prob=1.0, words='keep')(caption())
    assert kept['flip'] and kept['text'] == CAPTION
    skipped = FlipWithWords(prob=1.0, words='skip')(caption())
    assert not skipped['flip'] and skipped['flip_direction'] is None
    assert skipped['gt_bboxes'].tolist() == [[1, 2, 4, 6]]
    names = {0: 'left shoe', 1: 'cat'}
    assert FlipWithWords(prob=1.0, words='skip')(image(text=names))['flip']  # shows label 1
    assert not FlipWithWords(prob=1.0, words='skip')(image(text={1: 'left shoe'}))['flip']
    with pytest.raises(ValueError, match="FlipWithWords.words must be one of .*'no'"):
        FlipWithWords(prob=0.5, words='no')


def test_upside_down_keeps_left():
    out = FlipWithWords(prob=1.0, direction='vertical')(caption())
    assert out['flip_direction'] == 'vertical' and out['text'] == CAPTION


def test_not_flipped_is_not_changed():
    out = FlipWithWords(prob=0.0)(caption())
    assert not out['flip'] and out['text'] == CAPTION


def test_a_span_outside_names_the_row():
    row = dict(caption(), where='rows.jsonl:7')
    row['phrases'] = {1: dict(phrase='x', tokens_positive=[[0, 400]])}
    with pytest.raises(BadSample, match='rows.jsonl:7') as error:
        FlipWithWords(prob=1.0)(row)
    assert error.value.cause == 'caption and phrases do not fit'


def test_it_is_registered():
    assert TRANSFORMS.get('FlipWithWords') is FlipWithWords
