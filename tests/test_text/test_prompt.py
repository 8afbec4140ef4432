import copy
import pickle

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from glip_mm.text import Entity, Prompt, clean_name
from glip_mm.text.names import is_blank

AQUARIUM = ['fish', 'jellyfish', 'penguin', 'puffin', 'shark', 'starfish', 'stingray']
AQUARIUM_PROMPT = [
    dict(prefix=' ', name='fish', suffix=''),
    dict(prefix='', name='jellyfish', suffix=''),
    dict(prefix='', name='penguin', suffix=' , which is black and white'),
    dict(prefix='', name='puffin', suffix=' with orange beaks '),
    dict(prefix='', name='shark', suffix=''),
    dict(prefix='', name='starfish', suffix=''),
    dict(prefix='', name='stingray', suffix=' which is flat and round'),
]
AQUARIUM_CAPTION = (' fish. jellyfish. penguin , which is black and white. puffin with orange '
                    'beaks . shark. starfish. stingray which is flat and round')


def spans_of(prompt):
    return [span for entity in prompt.entities for span in entity.spans]


def test_names_keep_the_raw_class_name():
    prompt = Prompt.from_names(['cat', 'dog', 'bow_(weapon)'])
    assert prompt.caption == 'cat. dog. bow '  # published simple converter
    assert prompt.names == ['cat', 'dog', 'bow_(weapon)']
    assert spans_of(prompt) == [(0, 3), (5, 8), (10, 14)]


def test_names_with_trailing_blanks_and_hyphens():
    names = ['bow_(weapon)', 'fish ', 'Bell_pepper leaf spot', 'cat-Abyssinian', 'takeoff-hand']
    prompt = Prompt.from_names(names)
    assert prompt.caption == 'bow . fish . Bell pepper leaf spot. cat-Abyssinian. takeoff-hand'
    assert spans_of(prompt) == [(0, 4), (6, 11), (13, 34), (36, 50), (52, 64)]


def test_equal_names_stay_apart():
    prompt = Prompt.from_names(['cat', 'dog', 'cat'])
    assert prompt.names == ['cat', 'dog', 'cat']
    assert spans_of(prompt) == [(0, 3), (5, 8), (10, 13)]


def test_another_separator_and_no_cleaning():
    prompt = Prompt.from_names(('a_b', 'c'), separator=' | ', clean=False)
    assert prompt.caption == 'a_b | c'
    assert spans_of(prompt) == [(0, 3), (6, 7)]


def test_aquarium_caption_prompt_by_position():
    prompt = Prompt.from_names(AQUARIUM, caption_prompt=AQUARIUM_PROMPT)
    assert prompt.caption == AQUARIUM_CAPTION
    assert spans_of(prompt) == [(1, 5), (7, 16), (18, 25), (54, 60), (81, 86), (88, 96), (98, 106)]
    assert prompt.names == AQUARIUM


@pytest.mark.parametrize('names, override, caption, span', [
    (['hand'], dict(prefix=' ', suffix=' of a person'), ' hand of a person', (1, 5)),
    (['package'], dict(prefix='there is a ', suffix=' on the porch'),
     'there is a package on the porch', (11, 18)),
    (['pothole'], dict(prefix='there are some ', name='holes', suffix=' on the road'),
     'there are some holes on the road', (15, 20)),
])
def test_odinw_caption_prompts_by_name(names, override, caption, span):
    prompt = Prompt.from_names(names, caption_prompt={names[0]: override})
    assert prompt.caption == caption
    assert spans_of(prompt) == [span]
    assert prompt.names == names


def test_override_name_is_verbatim_and_found_by_raw_or_cleaned_name():
    by_raw = Prompt.from_names(['a_b', 'c'], caption_prompt={'a_b': dict(name='x_(y)')})
    by_clean = Prompt.from_names(['a_b', 'c'], caption_prompt={'a b': dict(name='x_(y)')})
    assert by_raw.caption == by_clean.caption == 'x_(y). c'
    assert by_raw.names == ['a_b', 'c']


def test_positions_without_override():
    assert Prompt.from_names(['a_b', 'c'], caption_prompt=[None, dict(suffix='!')]).caption == \
        'a b. c!'


@pytest.mark.parametrize('caption_prompt, match', [
    ([None], '1 entries for 2'),
    ({'cat': dict(sufix='s')}, "class 'cat'.*sufix"),
    ({'cat': 'kitten'}, "class 'cat'.*kitten"),
    ({'cat': dict(name=3)}, "class 'cat' must hold strings"),
])
def test_malformed_overrides(caption_prompt, match):
    with pytest.raises(ValueError, match=match):
        Prompt.from_names(['cat', 'dog'], caption_prompt=caption_prompt)


@pytest.mark.parametrize('names, error, match', [
    ([], ValueError, 'empty'),
    ('cat', TypeError, r"did you mean \['cat'\]"),
    (['cat', 3], TypeError, 'class name 1 must be a string, got 3'),
    (['  ', '(x)'], ValueError, 'none of the class names'),
])
def test_bad_names(names, error, match):
    with pytest.raises(error, match=match):
        Prompt.from_names(names)


def test_a_name_that_cleans_to_nothing_has_no_span():
    prompt = Prompt.from_names(['(x)', 'cat'])
    assert prompt.caption == '. cat'
    assert prompt.entities[0] == Entity('(x)', ())


@settings(deadline=None)
@given(st.lists(st.text(max_size=12), min_size=1, max_size=8), st.sampled_from(['. ', ' ', ' | ']))
@example(['\x1b'], '. ')
def test_spans_always_point_at_the_cleaned_name(names, separator):
    cleaned = [clean_name(name) for name in names]
    if all(map(is_blank, cleaned)):
        with pytest.raises(ValueError, match='name'):
            Prompt.from_names(names, separator=separator)
        return
    prompt = Prompt.from_names(names, separator=separator)
    assert prompt.caption == separator.join(cleaned)
    for entity, name in zip(prompt.entities, cleaned):
        assert ''.join(prompt.caption[b:e] for b, e in entity.spans) == name


def test_caption_with_spans():
    caption = 'two black cats lie on a pink sofa next to a remote control'
    prompt = Prompt.from_caption(caption, [[[0, 14]], [[22, 33]], [[42, 58], [34, 38]]])
    assert prompt.caption == caption
    assert prompt.names == ['two black cats', 'a pink sofa', 'a remote control next']
    assert prompt.entities[2].spans == ((42, 58), (34, 38))
    assert Prompt.from_caption(caption, [[[0, 14]]], names=['cat']).names == ['cat']


@pytest.mark.parametrize('spans', [
    [[0, 5], [9, 15]],
    [[[0, 5]], [[9, 15]]],
    [[[[0, 5]]], [[[9, 15]]]],
    [((0, 5), ), (9, 15)],
    np.array([[[0, 5]], [[9, 15]]]),
    [np.array([0, 5]), np.array([[9, 15]])],
])
def test_nestings_of_spans(spans):
    prompt = Prompt.from_caption('a cat on a sofa', spans)
    assert prompt.entities == (Entity('a cat', ((0, 5), )), Entity('a sofa', ((9, 15), )))
    assert all(type(v) is int for span in spans_of(prompt) for v in span)


def test_one_flat_pair_is_one_phrase():
    assert Prompt.from_caption('a cat', [0, 5]).names == ['a cat']


@pytest.mark.parametrize('spans', [[[[2, 5]], [[40, 44]]], [[[2, 5]], [[5, 5]]],
                                   [[[2, 5]], [[-3, 2]]], [[[2, 5]], [[5, 2]]],
                                   [[[2, 5]], [[9, 16]]]])
def test_spans_outside_the_caption_name_phrase_and_caption(spans):
    with pytest.raises(ValueError, match="phrase 1 .*'a cat on a sofa'"):
        Prompt.from_caption('a cat on a sofa', spans)


@pytest.mark.parametrize('spans', [[[]], ['a cat'], [[0, 5, 9]], [[0.0, 5.0]], [[True, False]]])
def test_spans_that_are_no_spans(spans):
    with pytest.raises(ValueError, match='phrase 0.*two integers'):
        Prompt.from_caption('a cat on a sofa', spans)


def test_caption_errors():
    with pytest.raises(ValueError, match='no phrase is marked'):
        Prompt.from_caption('a cat', [])
    with pytest.raises(TypeError, match='spans must be a list'):
        Prompt.from_caption('a cat', 'cat')
    with pytest.raises(ValueError, match='is empty'):
        Prompt.from_caption('  ', [[0, 1]])
    with pytest.raises(TypeError, match='must be a string'):
        Prompt.from_caption(['a cat'], [[0, 1]])
    with pytest.raises(ValueError, match='2 names were given for 1 phrases'):
        Prompt.from_caption('a cat', [[0, 5]], names=['a', 'b'])


def test_all_words_is_one_entity_without_punctuation():
    prompt = Prompt.from_all_words(' the "left" cat, by the t-shirt.')
    assert prompt.names == ['the "left" cat, by the t-shirt.']
    words = [prompt.caption[b:e] for b, e in spans_of(prompt)]
    assert words == ['the', 'left', 'cat', 'by', 'the', 't-shirt']
    with pytest.raises(ValueError, match='holds no word'):
        Prompt.from_all_words('...')


def test_select_keeps_prefix_and_suffix():
    prompt = Prompt.from_names(AQUARIUM, caption_prompt=AQUARIUM_PROMPT)
    part = prompt.select([3, 0])
    assert part.caption == 'puffin with orange beaks .  fish'
    assert part.names == ['puffin', 'fish']
    assert spans_of(part) == [(0, 6), (28, 32)]
    assert prompt.select(range(7)) == prompt
    assert part.select([1, 0]) == prompt.select([0, 3])


def test_select_refuses_captions():
    with pytest.raises(ValueError, match="'a cat'.*not a list of names"):
        Prompt.from_caption('a cat', [[0, 5]]).select([0])
    with pytest.raises(ValueError, match='at least one'):
        Prompt.from_names(['cat']).select([])


def test_prompts_are_values():
    prompt = Prompt.from_names(['cat', 'dog'])
    assert prompt == Prompt.from_names(('cat', 'dog'))
    assert hash(prompt) == hash(Prompt.from_names(('cat', 'dog')))
    assert prompt != Prompt.from_names(['dog', 'cat'])
    assert pickle.loads(pickle.dumps(prompt)) == prompt
    assert copy.deepcopy({'prompt': prompt})['prompt'] is prompt
