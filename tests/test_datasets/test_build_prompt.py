"""From labels and phrases to prompts."""

import copy
import json

import numpy as np
import pytest
from mmengine.registry import DefaultScope

from glip_mm.datasets.transforms import BuildPrompt
from glip_mm.datasets.transforms.class_vocabulary import ClassVocabulary
from glip_mm.datasets.transforms.negative_sampling import draw_negatives, keep_positives
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
