from types import SimpleNamespace

import pytest

from glip_mm.text import Prompt


class Tagger:

    def tag(self, captions, batch_size):
        return (['NN' if word in ('cat', 'sofa') else 'X' for word in c] for c in captions)


def read(**fields):
    return Prompt.from_data_sample(fields)


def test_a_prompt_is_used_as_it_is():
    prompt = Prompt.from_names(['cat'])
    assert read(prompt=prompt, text=('dog', )) is prompt
    with pytest.raises(TypeError, match="must be a Prompt, got 'cat'"):
        read(prompt='cat')


@pytest.mark.parametrize('text', [('cat', 'remote_control'), ['cat', 'remote_control'],
                                  {'0': 'cat', '1': 'remote_control'}])
@pytest.mark.parametrize('custom_entities', [True, False])
def test_names(text, custom_entities):
    prompt = read(text=text, custom_entities=custom_entities, tokens_positive=None)
    assert prompt == Prompt.from_names(['cat', 'remote_control'])


def test_names_with_caption_prompt():
    prompt = read(text=('hand', ), custom_entities=True,
                  caption_prompt={'hand': {'suffix': ' of a person'}})
    assert prompt.caption == 'hand of a person'


def test_names_in_one_string():
    prompt = read(text='cat. remote control. ', custom_entities=True)
    assert prompt == Prompt.from_names(['cat', 'remote control'])


def test_caption_with_spans():
    prompt = read(text='a cat on a sofa', custom_entities=False,
                  tokens_positive=[[[0, 5]], [[9, 15]]])
    assert prompt == Prompt.from_caption('a cat on a sofa', [[[0, 5]], [[9, 15]]])


def test_equal_captions_with_other_spans_differ():
    one = read(text='a cat on a sofa', tokens_positive=[[[0, 5]]])
    other = read(text='a cat on a sofa', tokens_positive=[[[9, 15]]])
    assert (one.names, other.names) == (['a cat'], ['a sofa'])


def test_minus_one_is_all_words():
    prompt = read(text='the left cat.', tokens_positive=-1)
    assert prompt.entities == (('the left cat.', ((0, 3), (4, 8), (9, 12))), )
    with pytest.raises(ValueError, match='must be -1'):
        read(text='the left cat', tokens_positive=-2)


def test_spans_by_label_keep_their_labels():
    prompt = read(text='bird. cat. dog. ', tokens_positive={2: [[11, 14]], 1: [[6, 9]]})
    assert prompt.entities == (('', ()), ('cat', ((6, 9), )), ('dog', ((11, 14), )))
    assert read(text='bird. ', tokens_positive={}).entities == ()


def test_plain_caption_uses_noun_phrases(monkeypatch):
    monkeypatch.setattr('glip_mm.text.noun_phrases.load_parser', lambda name: Tagger())
    assert read(text='a cat on a sofa', custom_entities=False).names == ['cat', 'sofa']


def test_any_object_with_the_fields_will_do():
    assert Prompt.from_data_sample(SimpleNamespace(text=['cat'])).names == ['cat']


def test_mmdet_data_sample():
    structures = pytest.importorskip('mmdet.structures')
    sample = structures.DetDataSample(metainfo=dict(text='a cat. ', tokens_positive=[[[0, 5]]]))
    assert Prompt.from_data_sample(sample).names == ['a cat']
    sample = structures.DetDataSample(metainfo=dict(text=('cat', 'dog'), custom_entities=True))
    assert Prompt.from_data_sample(sample).names == ['cat', 'dog']


def test_contradictions():
    with pytest.raises(ValueError, match='return_classes=True'):
        read(img_path='a.png')
    with pytest.raises(ValueError, match='give one or the other'):
        read(text=['cat'], tokens_positive=[[[0, 3]]])
    with pytest.raises(ValueError, match='set custom_entities=True'):
        read(text='a cat', caption_prompt={'cat': {}}, tokens_positive=-1)


def test_names_that_come_again_are_joined_once():
    names = ('cat', 'remote_control')
    prompt = Prompt.from_data_sample(dict(text=names))
    assert prompt == Prompt.from_names(names)
    assert Prompt.from_data_sample(dict(text=list(names))) is prompt
    other = Prompt.from_data_sample(dict(text=names, caption_prompt=[dict(prefix='a '), None]))
    assert other.caption == 'a cat. remote control' and prompt.caption == 'cat. remote control'
    for text in (('cat', 3), [['cat']], ('', ' '), 3):
        with pytest.raises((TypeError, ValueError)):
            Prompt.from_data_sample(dict(text=text))
