"""From labels and phrases to prompts."""

import copy
import json

import numpy as np
import pytest
from mmengine.registry import DefaultScope

from glip_mm.datasets.bad_sample import BadSample
from glip_mm.datasets.transforms import BuildPrompt
from glip_mm.datasets.transforms.class_vocabulary import ClassVocabulary
from glip_mm.datasets.transforms.negative_sampling import (
    check_control,
    count_negatives,
    draw_negatives,
    keep_positives,
)
from glip_mm.registry import DATASETS, TRANSFORMS
from glip_mm.text import Prompt

NAMES = ['cat', 'dog', 'bow_(weapon)', 'remote_control', 'cow', 'pizza', 'train', 'zebra']


def words(text: str) -> int:
    return len(text.replace('.', ' . ').split())


class WordBuildPrompt(BuildPrompt):
    """Counts words: no tokenizer, no vocabulary."""

    def count_tokens(self, text):
        return words(text)


def vocabulary(names, **kwargs):
    return ClassVocabulary(dict(enumerate(names)), words, **kwargs)


def detection(labels, names=NAMES):
    n = len(labels)
    return dict(text={str(i): name for i, name in enumerate(names)}, img_path='a.jpg',
                gt_bboxes=np.arange(4 * n, dtype=np.float32).reshape(n, 4),
                gt_bboxes_labels=np.array(labels, dtype=np.int64),
                gt_ignore_flags=np.zeros(n, dtype=bool))


def grounding(caption, phrases, labels):
    n = len(labels)
    return dict(text=caption, phrases=phrases, img_path='b.jpg', sample_idx=7,
                gt_bboxes=np.zeros((n, 4), dtype=np.float32),
                gt_bboxes_labels=np.array(labels, dtype=np.int64),
                gt_ignore_flags=np.zeros(n, dtype=bool))


@pytest.mark.parametrize('seed', range(20))
def test_labels_index_the_prompt_and_every_positive_is_there(seed):
    np.random.seed(seed)
    given = [4, 0, 3, 4]
    out = WordBuildPrompt(num_negatives=3)(detection(given))
    prompt: Prompt = out['prompt']
    assert [prompt.names[i] for i in out['gt_bboxes_labels']] == [NAMES[i] for i in given]
    assert len(set(prompt.names)) == len(prompt.names) <= 3 + 3
    for entity in prompt.entities:
        (begin, end), = entity.spans
        assert prompt.caption[begin:end] == entity.name.replace('_(weapon)', ' ').replace('_', ' ')
    assert not prompt.caption.endswith('.')


def test_order_is_shuffled_and_negatives_vary_but_a_seed_repeats_them():
    def captions(seed):
        np.random.seed(seed)
        transform = WordBuildPrompt()
        return [transform(detection([0, 1]))['prompt'].caption for _ in range(8)]

    assert captions(1) == captions(1)
    assert captions(1) != captions(2)
    assert len(set(captions(1))) > 4


def test_fixed_prompts_depend_on_the_image_alone():
    transform = WordBuildPrompt(fixed=True)
    first = transform(detection([0]))['prompt']
    np.random.seed(99)
    assert transform(detection([0]))['prompt'] == first
    others = [dict(detection([0]), img_path=f'{i}.jpg') for i in range(5)]
    assert len({transform(o)['prompt'] for o in others}) > 1


def test_the_label_map_is_not_changed():
    results = detection([0])
    before = copy.deepcopy(results['text'])
    WordBuildPrompt()(results)
    assert results['text'] == before


def test_the_first_class_can_be_a_negative_and_nothing_else_is_drawn():
    np.random.seed(0)
    seen = set()
    for _ in range(100):
        seen |= set(WordBuildPrompt()(detection([5]))['prompt'].names)
    assert seen == set(NAMES)


def test_number_of_negatives_follows_the_published_mixture():
    """Half the time all 4, else uniform 1..4; no positive, so none of the drawn is lost."""
    np.random.seed(0)
    names = vocabulary('abcdefghijkl')
    counts = np.bincount([len(draw_negatives([], names, 200, np.random, 4))
                          for _ in range(4000)], minlength=5) / 4000
    assert counts[0] == 0
    assert np.abs(counts[1:] - [.125, .125, .125, .625]).max() < .03


def test_negatives_stop_at_the_budget():
    names = vocabulary('abcdefghij')
    full = dict(num_negatives=10, control=(0, 0, 1, 0))
    # each name costs 2 tokens and 1 must remain: 6 leave room for 2
    assert len(draw_negatives([], names, 6, np.random, **full)) == 2
    assert not len(draw_negatives([], names, 0, np.random, **full))


def test_positives_that_overflow_are_left_out_with_all_after_them():
    rng = np.random.RandomState(0)
    names = vocabulary(['a', 'b b b b b b', 'c'])
    outcomes = {tuple(sorted(keep_positives([0, 1, 2], names, 6, rng)[0]))
                for _ in range(50)}
    # whatever comes after the long name is dropped too
    assert outcomes == {(), (0,), (2,), (0, 2)}


def test_boxes_of_overflowing_classes_go_and_no_negative_comes(caplog):
    names = [f'w{i}' for i in range(30)]
    transform = WordBuildPrompt(max_tokens=2 + 20)
    out = transform(detection(list(range(30)), names))
    assert len(out['prompt'].entities) == 10
    assert len(out['gt_bboxes']) == len(out['gt_bboxes_labels']) == 10
    assert sorted(out['gt_bboxes_labels']) == list(range(10))
    for box, label in zip(out['gt_bboxes'], out['gt_bboxes_labels']):
        assert out['prompt'].names[label] == f'w{int(box[0]) // 4}'


def test_a_negative_that_reads_like_a_positive_is_not_drawn():
    names = vocabulary(['bow_(weapon)', 'bow_(ribbon)', 'Cat'])
    for _ in range(20):
        assert draw_negatives([0], names, 99, np.random, 3, (0, 0, 1, 0)).tolist() == [2]


def test_images_without_boxes_get_negatives():
    out = WordBuildPrompt()(detection([]))
    assert len(out['prompt'].entities) >= 1 and len(out['gt_bboxes_labels']) == 0


def test_names_may_come_as_a_list():
    results = dict(detection([2]), text=tuple(NAMES))
    out = WordBuildPrompt(num_negatives=0)(results)
    assert out['prompt'].names == ['bow_(weapon)'] and out['prompt'].caption == 'bow '


def test_no_shuffle_keeps_the_order():
    out = WordBuildPrompt(full_prob=1, shuffle=False)(detection([5, 1]))
    assert out['prompt'].names == NAMES and out['gt_bboxes_labels'].tolist() == [5, 1]


# ---------------------------------------------------------------- published vectors

def counted(most, control, draws=4000):
    rng = np.random.RandomState(0)
    values, counts = np.unique([count_negatives(most, control, rng) for _ in range(draws)],
                               return_counts=True)
    return dict(zip(values.tolist(), (counts / draws).tolist()))


def test_control_probabilities():
    published = (0, 0, .5, 0)
    shares = counted(85, published)
    assert set(shares) == set(range(1, 86))
    assert shares[85] == pytest.approx(.5 + .5 / 85, abs=.025)
    assert counted(-1, published) == {-1: pytest.approx(.5, abs=.025),
                                      1: pytest.approx(.5, abs=.025)}
    shares = counted(7, (.2, .3, .5, 0))
    assert shares == {0: pytest.approx(.3, abs=.025), 1: pytest.approx(.2, abs=.025),
                      7: pytest.approx(.5, abs=.025)}


@pytest.mark.parametrize('control', [(), (0, 0, .5), (0, 0, .5, .1), (.6, .6, 0, 0)])
def test_wrong_control_probabilities(control):
    with pytest.raises(ValueError, match='BuildPrompt.control must be four'):
        check_control(control)


def coco_names():
    from mmdet.datasets import CocoDataset
    return list(CocoDataset.METAINFO['classes'])


def test_the_background_is_never_a_negative():
    names = ['__background__', *coco_names()]
    transform = BuildPrompt()
    longest = 0
    for seed in range(100):
        np.random.seed(seed)
        prompt = transform(detection([1, 17], names))['prompt']
        assert '__background__' not in prompt.names
        assert {'person', 'dog'} <= set(prompt.names)
        longest = max(longest, transform.count_tokens(prompt.caption) + 2)
    assert longest <= 194  # all of COCO


@pytest.mark.parametrize('labels, left', [([], 3), ([0], 2), ([0, 1, 2], 0), ([0, 1, 2, 3], 0)])
def test_most_classes_of_a_prompt(labels, left):
    transform = WordBuildPrompt(max_classes=3, control=(0, 0, 1, 0), num_negatives=85)
    for _ in range(20):
        out = transform(detection(labels))['prompt']
        # positives among the drawn ones are lost
        assert len(labels) <= len(out.entities) <= len(labels) + left


def test_simple_conversion():
    names = {1: 'cat', 2: 'dog', 3: 'bow_(weapon)'}
    given = dict(detection([1, 3]), text=names)
    plain = WordBuildPrompt(method='simple', shuffle=False)(dict(given))
    assert plain['prompt'].caption == 'cat. dog. bow '
    assert plain['gt_bboxes_labels'].tolist() == [0, 2]  # the first class is not dropped
    orders = {WordBuildPrompt(method='simple')(dict(given))['prompt'].caption for _ in range(60)}
    assert len(orders) == 6
    prefixed = WordBuildPrompt(method='simple', shuffle=False, add_detection_prefix=True)
    prompt = prefixed(dict(given))['prompt']
    assert prompt.caption == 'object detection : cat. dog. bow '
    assert prompt.entities[0].spans == ((19, 22), )


def test_simple_conversion_with_caption_prompt():
    by_position = [None, dict(prefix='a ', name='big_dog', suffix=' in the grass'), None]
    given = dict(detection([1, 2]), text={1: 'cat', 2: 'dog', 3: 'bow_(weapon)'})
    plain = WordBuildPrompt(method='simple', shuffle=False, caption_prompt=by_position)
    prompt = plain(dict(given))['prompt']
    assert prompt.caption == 'cat. a big dog in the grass. bow '
    begin, end = prompt.entities[1].spans[0]
    assert prompt.caption[begin:end] == 'big dog' and prompt.names[1] == 'dog'
    shuffled = WordBuildPrompt(method='simple', caption_prompt=by_position)
    for _ in range(10):  # an override stays with its class
        assert 'a big dog in the grass' in shuffled(dict(given))['prompt'].caption


def test_simple_conversion_of_too_many_classes():
    names = [f'w{i}' for i in range(300)]
    given = detection([0, 5, 299], names)
    out = BuildPrompt(method='simple', shuffle=False)(dict(given))
    assert len(out['prompt'].entities) == 300 and out['gt_bboxes_labels'].tolist() == [0, 5]
    kept = BuildPrompt(method='simple', shuffle=False, keep_cut=True)(dict(given))
    assert kept['gt_bboxes_labels'].tolist() == [0, 5, 299]


def test_detection_prefix_leaves_room_for_itself():
    names = [f'w{i}' for i in range(30)]
    transform = WordBuildPrompt(max_tokens=2 + 20, add_detection_prefix=True)
    out = transform(detection(list(range(30)), names))
    assert len(out['prompt'].entities) == (20 - 3) // 2
    assert words(out['prompt'].caption) <= 20


def test_prompts_of_many_classes_are_never_cut():
    names = [f'class number {i} of a long list' for i in range(1203)]
    transform = BuildPrompt(num_negatives=85)
    for seed in range(10):
        np.random.seed(seed)
        out = transform(detection(list(range(seed)), names))
        assert transform.count_tokens(out['prompt'].caption) + 2 <= 255
        assert len(out['gt_bboxes_labels']) == seed


def test_negatives_from_a_list():
    given = dict(detection([0]), negatives=[1, 4, 0], not_exhaustive=[4])
    transform = WordBuildPrompt(negatives='listed', control=(0, 0, 1, 0))
    for _ in range(10):
        assert set(transform(dict(given))['prompt'].names) == {'cat', 'dog'}
    assert transform(dict(given, negatives=[]))['prompt'].names == ['cat']
    assert len(transform(detection([0]))['prompt'].names) == len(NAMES)  # no list: all
    with pytest.raises(ValueError, match="BuildPrompt.negatives must be one of .*'some'"):
        BuildPrompt(negatives='some')


def test_an_image_of_which_nothing_is_known_is_rejected():
    nothing = dict(detection([]), negatives=[])
    assert WordBuildPrompt(negatives='listed')(nothing) is None
    assert WordBuildPrompt()(dict(detection([]), not_exhaustive=list(range(len(NAMES))))) is None
    with pytest.raises(BadSample, match='a.jsonl:1: label without a name: label 99'):
        WordBuildPrompt()(dict(detection([0]), not_exhaustive=[99], where='a.jsonl:1'))


def test_crowds_are_neither_positive_nor_negative():
    given = detection([0, 1])
    given['gt_ignore_flags'] = np.array([False, True])
    for _ in range(10):
        out = WordBuildPrompt(control=(0, 0, 1, 0))({**given})
        assert 'dog' not in out['prompt'].names and len(out['gt_bboxes']) == 1


def test_alternatives_and_variants_are_drawn_for_each_sample():
    names = ['cup/mug', 'dog']
    given = detection([0], names)
    transform = WordBuildPrompt(split_alternatives=True, name_variants={'dog': ['hound', 'a_pup']},
                                control=(0, 0, 1, 0))
    seen = set()
    for _ in range(100):
        prompt = transform(copy.deepcopy(given))['prompt']
        assert set(prompt.names) == set(names)  # what results are called stays
        seen |= set(prompt.caption.split('. '))
    assert seen == {'cup', 'mug', 'dog', 'hound', 'a pup'}
    assert given['text'] == {'0': 'cup/mug', '1': 'dog'}
    assert WordBuildPrompt()(given)['prompt'].caption.count('cup/mug') == 1


def test_variants_of_a_file(tmp_path):
    path = tmp_path / 'variants.json'
    path.write_text(json.dumps({'dog': ['hound']}))
    assert BuildPrompt(name_variants=str(path)).name_variants == {'dog': ('hound', )}
    with pytest.raises(ValueError, match='BuildPrompt.name_variants'):
        BuildPrompt(name_variants={'dog': 'hound'})


def test_a_negative_never_reads_like_any_way_to_write_a_positive():
    names = vocabulary(['dog', 'Hound', 'cat'], variants={'dog': ['hound']})
    for _ in range(20):
        drawn = draw_negatives(np.array([0]), names, 99, np.random, 3, (0, 0, 1, 0))
        assert names.label_of(drawn) == [2]


# ---------------------------------------------------------------- bad rows

def test_a_label_without_a_name_names_the_row():
    with pytest.raises(BadSample, match='rows.jsonl:3: label without a name: label 99') as error:
        WordBuildPrompt()(dict(detection([99]), where='rows.jsonl:3'))
    assert error.value.cause == 'label without a name'


CAPTION = 'a red circle above two blue stars'
PHRASES = {1: dict(phrase='red circle', tokens_positive=[[2, 12]]),
           4: dict(phrase='blue stars', tokens_positive=[[23, 33]])}


def test_captions_keep_their_spans():
    out = WordBuildPrompt()(grounding(CAPTION, PHRASES, [4, 1, 4]))
    assert out['prompt'].caption == CAPTION
    assert out['prompt'].names == ['red circle', 'blue stars']
    assert out['prompt'].entities[1].spans == ((23, 33), )
    assert out['gt_bboxes_labels'].tolist() == [1, 0, 1]
    assert out['img_id'] == 7


@pytest.mark.parametrize('keep_cut', [False, True])
def test_phrases_beyond_the_budget(keep_cut):
    transform = BuildPrompt(tokenizer='bert-base-uncased', max_tokens=5, keep_cut=keep_cut)
    out = transform(grounding(CAPTION, PHRASES, [4, 1, 4]))
    assert len(out['prompt'].entities) == 2
    assert out['gt_bboxes_labels'].tolist() == ([1, 0, 1] if keep_cut else [0])
    assert len(out['gt_bboxes']) == len(out['gt_bboxes_labels'])


def test_tokens_are_counted_as_the_language_model_does():
    transform = BuildPrompt(tokenizer='bert-base-uncased')
    texts = ('traffic light. ', 'bow', 'cat-Abyssinian')
    assert [transform.count_tokens(text) for text in texts] == [3, 1, 4]


def test_missing_text_is_explained():
    with pytest.raises(KeyError, match='return_classes=True'):
        BuildPrompt()(dict(gt_bboxes_labels=np.zeros(0)))


def test_a_prompt_without_room_is_explained():
    with pytest.raises(ValueError, match=r'num_negatives \(0\)'):
        WordBuildPrompt(num_negatives=0)(detection([]))


def test_it_is_registered():
    assert TRANSFORMS.get('BuildPrompt') is BuildPrompt


@pytest.mark.parametrize('scope', ['mmdet', 'glip_mm'])
def test_odvg_rows_pass_through_the_ordinary_data_set(tmp_path, scope):
    """MMDetection's ODVGDataset, its transforms and ours, to packed samples."""
    from PIL import Image
    Image.new('RGB', (64, 48)).save(tmp_path / 'x.jpg')
    row = dict(filename='x.jpg', height=48, width=64)
    det = dict(row, detection=dict(instances=[dict(bbox=[1, 2, 30, 40], label=1, category='dog')]))
    grd = dict(row, grounding=dict(caption=CAPTION, regions=[
        dict(bbox=[[1, 2, 30, 40], [5, 5, 20, 20]], phrase='blue stars',
             tokens_positive=[[23, 33]])]))
    (tmp_path / 'det.jsonl').write_text(json.dumps(det) + '\n')
    (tmp_path / 'grd.jsonl').write_text(json.dumps(grd) + '\n')
    (tmp_path / 'map.json').write_text(json.dumps({'0': 'cat', '1': 'dog'}))
    pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True),
                dict(type='glip_mm.BuildPrompt'),
                dict(type='PackDetInputs', meta_keys=('img_id', 'prompt'))]
    common = dict(type='ODVGDataset', data_root=str(tmp_path), data_prefix=dict(img=''),
                  return_classes=True, pipeline=pipeline)
    with DefaultScope.overwrite_default_scope(scope):
        a = DATASETS.build(dict(common, ann_file='det.jsonl', label_map_file='map.json'))[0]
        b = DATASETS.build(dict(common, ann_file='grd.jsonl'))[0]
    sample = a['data_samples']
    assert sample.prompt.names[int(sample.gt_instances.labels[0])] == 'dog'
    sample = b['data_samples']
    assert sample.gt_instances.labels.tolist() == [0, 0]
    assert sample.prompt.names == ['blue stars'] and sample.img_id == 0


@pytest.mark.parametrize('change', [
    dict(text=7), dict(text=''), dict(phrases={1: dict(phrase='x', tokens_positive=[[2, 400]])}),
    dict(phrases={1: dict(phrase='x', tokens_positive='no')}), dict(phrases={1: dict(phrase='x')}),
    dict(phrases={4: PHRASES[4]})])
def test_bad_captions_name_the_row(change):
    given = dict(grounding(CAPTION, PHRASES, [1]), where='rows.jsonl:3')
    with pytest.raises(BadSample, match='rows.jsonl:3') as error:
        WordBuildPrompt()(dict(given, **change))
    assert error.value.cause in ('caption and phrases do not fit', 'box without a phrase')


def test_a_caption_without_phrases_is_background():
    out = WordBuildPrompt()(grounding(CAPTION, {}, []))
    assert out['prompt'].caption == CAPTION and out['prompt'].entities == ()


# ---------------------------------------------------------------- words without tokens

@pytest.mark.parametrize('phrase, owns', [
    ('한글', True), ('cafe\u0301', True), ('👨\u200d👩\u200d👧', True), ('猫', True),
    ('\u200b\u200d', False), ('\ufffd', False), ('  ', False), ('\x07', False)])
def test_boxes_whose_words_own_no_token_go_and_are_counted(phrase, owns):
    caption = f'a dog and {phrase} here'
    phrases = {0: dict(phrase='a dog', tokens_positive=[[0, 5]]),
               1: dict(phrase=phrase, tokens_positive=[[10, 10 + len(phrase)]])}
    transform = BuildPrompt(tokenizer='bert-base-uncased')
    out = transform(grounding(caption, phrases, [0, 1]))
    assert out['gt_bboxes_labels'].tolist() == [0] + [1] * owns
    assert transform._dropped == (not owns)
    kept = BuildPrompt(keep_cut=True)(grounding(caption, phrases, [0, 1]))
    assert kept['gt_bboxes_labels'].tolist() == [0, 1]


def test_a_short_caption_may_have_many_tokens():
    """A Korean syllable is three tokens, so 100 of them do not fit into 256."""
    caption = '한글 ' * 50 + 'dog'
    phrases = {0: dict(phrase='한글', tokens_positive=[[0, 2]]),
               1: dict(phrase='dog', tokens_positive=[[150, 153]])}
    assert BuildPrompt()(grounding(caption, phrases, [0, 1]))['gt_bboxes_labels'].tolist() == [0]


def test_class_names_without_tokens():
    given = detection([0, 1], ['\u200b', 'dog'])
    out = BuildPrompt(num_negatives=0)(copy.deepcopy(given))
    assert [out['prompt'].names[i] for i in out['gt_bboxes_labels']] == ['dog']
    kept = BuildPrompt(num_negatives=0, keep_cut=True)(copy.deepcopy(given))
    assert len(kept['gt_bboxes_labels']) == 2


def test_dropped_boxes_are_logged_at_powers_of_two(monkeypatch):
    logged = []
    monkeypatch.setattr('glip_mm.datasets.transforms.build_prompt.print_log',
                        lambda text, **_: logged.append(text))
    transform = BuildPrompt()
    phrases = {0: dict(phrase=' ', tokens_positive=[[1, 2]])}
    for i in range(9):
        transform(dict(grounding('a dog', phrases, [0]), where=f'a.jsonl:{i}'))
    assert [text.split()[0] for text in logged] == ['1', '2', '4', '8']
    assert logged[-1].endswith('The last: a.jsonl:7')
