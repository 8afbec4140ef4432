import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glip_mm.text import (
    Entity,
    Prompt,
    char_to_token,
    entities_without_tokens,
    positive_map,
    span_to_tokens,
)

from .test_prompt import AQUARIUM, AQUARIUM_PROMPT

TEXTS = st.text(
    st.one_of(st.characters(codec='utf-8'), st.sampled_from(' .,-_cats\u200b\u00ad한글犬é½İﬁ😀')),
    max_size=40)


def tokens_of(prompt, offsets_of):
    rows = positive_map(prompt, offsets_of(prompt.caption))
    return [np.flatnonzero(row).tolist() for row in rows]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=TEXTS)
def test_table_equals_the_tokenizers_own(tokenizer, text):
    batch = tokenizer(text, return_offsets_mapping=True)
    table = char_to_token(batch['offset_mapping'], len(text))
    own = [batch.char_to_token(i) for i in range(len(text))]
    assert [None if t < 0 else t for t in table.tolist()] == own


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=TEXTS, begin=st.integers(0, 45), length=st.integers(1, 12))
def test_spans_by_the_published_rules(tokenizer, text, begin, length):
    """The rules once more, written on the tokenizer's own char_to_token."""
    batch = tokenizer(text, return_offsets_mapping=True)

    def first_of(positions):
        for position in positions:
            try:
                token = batch.char_to_token(position)
            except OverflowError:
                return None
            if token is not None:
                return token
        return None

    end = begin + length
    first = first_of((begin, begin + 1, begin + 2))
    last = first_of((end - 1, end - 2, end - 3))
    expected = [] if first is None or last is None else list(range(first, last + 1))
    table = char_to_token(batch['offset_mapping'], len(text))
    assert list(span_to_tokens(table, begin, end) or []) == expected


def test_blanks_at_the_ends_are_forgiven_up_to_two(offsets_of):
    text = 'a   cat   b'
    table = char_to_token(offsets_of(text), len(text))
    assert span_to_tokens(table, 4, 7) == range(2, 3)
    assert span_to_tokens(table, 2, 9) == range(2, 3)
    assert span_to_tokens(table, 1, 7) is None
    assert span_to_tokens(table, 4, 10) is None
    assert span_to_tokens(table, 0, 11) == range(1, 4)


def test_a_range_that_runs_backwards_is_none():
    assert span_to_tokens(np.array([1, -1, -1, 2]), 1, 3) is None


def test_first_of_two_tokens_that_share_a_character_wins():
    assert char_to_token([(0, 0), (0, 2), (1, 3), (0, 0)], 4).tolist() == [1, 1, 2, -1]


def test_coco_prompt(coco_names, offsets_of):
    prompt = Prompt.from_names(coco_names)
    assert len(offsets_of(prompt.caption)) == 194
    tokens = tokens_of(prompt, offsets_of)
    assert tokens[:11] == [[1], [3], [5], [7], [9], [11], [13], [15], [17], [19, 20],
                           [22, 23, 24]]
    assert tokens[-2:] == [[187, 188, 189], [191, 192]]
    assert all(tokens)


def test_odd_names(offsets_of):
    prompt = Prompt.from_names(
        ['bow_(weapon)', 'fish ', 'Bell_pepper leaf spot', 'cat-Abyssinian', 'takeoff-hand'])
    assert tokens_of(prompt, offsets_of) == [[1], [3], [5, 6, 7, 8], [10, 11, 12, 13],
                                             [15, 16, 17]]


def test_spans_outside_the_text_own_nothing(offsets_of):
    caption = 'cat. teddy bear'
    prompt = Prompt(caption, (Entity('cat', ((0, 3), )), Entity('bear', ((5, 15), )),
                              Entity('?', ((40, 44), ))))
    assert tokens_of(prompt, offsets_of) == [[1], [3, 4], []]
    assert entities_without_tokens(prompt, offsets_of(caption)) == [2]


def test_blank_first_class_owns_nothing(offsets_of):
    prompt = Prompt.from_names(['  ', 'black bishop', 'black king'])
    assert prompt.caption == ' . black bishop. black king'
    assert tokens_of(prompt, offsets_of) == [[], [2, 3], [5, 6]]


@pytest.mark.parametrize('separator', ['. ', ' '])
@pytest.mark.parametrize('blank', ['  ', '\u200b', '(x)'])
def test_blank_classes_never_take_a_neighbours_token(blank, separator, offsets_of):
    prompt = Prompt.from_names([blank, 'a', blank, 'b', blank], separator=separator)
    rows = positive_map(prompt, offsets_of(prompt.caption))
    assert rows.any(axis=1).tolist() == [False, True, False, True, False]
    assert entities_without_tokens(prompt, offsets_of(prompt.caption)) == [0, 2, 4]


def test_aquarium_prompt(offsets_of):
    prompt = Prompt.from_names(AQUARIUM, caption_prompt=AQUARIUM_PROMPT)
    assert len(offsets_of(prompt.caption)) == 34
    assert tokens_of(prompt, offsets_of) == [[1], [3, 4], [6], [14, 15], [21], [23, 24], [26, 27]]


@pytest.mark.parametrize('name, override, tokens', [
    ('hand', dict(prefix=' ', suffix=' of a person'), [1]),
    ('package', dict(prefix='there is a ', suffix=' on the porch'), [4]),
    ('pothole', dict(prefix='there are some ', name='holes', suffix=' on the road'), [4]),
])
def test_other_odinw_caption_prompts(name, override, tokens, offsets_of):
    prompt = Prompt.from_names([name], caption_prompt=[override])
    assert tokens_of(prompt, offsets_of) == [tokens]


@pytest.mark.parametrize('names, length', [
    ('boat, car, dock, jetski, lift', 12),
    ('Platelets, RBC, WBC', 10),
    ('A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S, T, U, V, W, X, Y, Z', 53),
    ('  , black bishop, black king, black knight, black pawn, black queen, black rook, '
     'white bishop, white king, white knight, white pawn, white queen, white rook', 38),
    ('follow, follow_hand, land, land_hand, null, object, takeoff, takeoff-hand', 21),
    ('mask, no-mask', 7),
    ('aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, diningtable, dog, horse, '
     'motorbike, person, pottedplant, sheep, sofa, train, tvmonitor', 50),
    ('biker, car, pedestrian, trafficLight, trafficLight-Green, trafficLight-GreenLeft, '
     'trafficLight-Red, trafficLight-RedLeft, trafficLight-Yellow, trafficLight-YellowLeft, truck',
     48),
    ('Q, a, an, b, c, d, e, er, f, g, h, he, i, in, j, k, l, m, n, o, o , p, q, qu, r, s, t, t\\, '
     'th, u, v, w, wild, x, y, z', 74),
])
def test_odinw_prompt_lengths(names, length, offsets_of):
    assert len(offsets_of(Prompt.from_names(names.split(', ')).caption)) == length


def test_caption_phrases_and_unions(offsets_of):
    caption = 'two black cats lie on a pink sofa next to a remote control'
    prompt = Prompt.from_caption(caption, [[[0, 14]], [[22, 33]], [[42, 58], [34, 38]]])
    assert tokens_of(prompt, offsets_of) == [[1, 2, 3], [6, 7, 8], [9, 11, 12, 13]]


def test_width_pads_and_never_cuts(offsets_of):
    prompt = Prompt.from_names(['cat', 'dog'])
    offsets = offsets_of(prompt.caption)
    wide = positive_map(prompt, offsets, width=16)
    assert wide.shape == (2, 16) and wide.dtype == bool
    assert (wide[:, :len(offsets)] == positive_map(prompt, offsets)).all()
    assert not wide[:, len(offsets):].any()
    with pytest.raises(ValueError, match='width=3 would cut the 5 tokens'):
        positive_map(prompt, offsets, width=3)


def test_truncated_text_leaves_rows_empty(offsets_of):
    prompt = Prompt.from_names(['cat', 'dog', 'cow'])
    offsets = offsets_of(prompt.caption)[:4] + [(0, 0)]
    assert entities_without_tokens(prompt, offsets) == [2]


def test_no_entities(offsets_of):
    assert positive_map(Prompt('a cat', ()), offsets_of('a cat')).shape == (0, 4)


@pytest.mark.parametrize('name, words', [
    ('한글', ['ᄒ', '##ᅡ', '##ᆫ', '##ᄀ', '##ᅳ', '##ᆯ']),  # a syllable is three tokens
    ('각', ['ᄀ', '##ᅡ', '##ᆨ']),
    ('\u1112\u1161\u11ab', ['ᄒ', '##ᅡ', '##ᆫ']),  # the same, decomposed before
    ('cafe\u0301', ['cafe']),
    ('e\u0302\u0301\u0323\u0301', ['e']),  # more marks than the published rules look past
    ('👨\u200d👩\u200d👧\u200d👦', ['[UNK]']),
    ('❤\ufe0f', ['[UNK]']),
    ('\u200b' * 4 + 'cat' + '\u200b' * 4, ['cat']),
    ('हिन्दी', ['ह', '##ि', '##न', '##द', '##ी']),
    ('\ufffd\ufffd\ufffd', []),
    ('\u200b\u200d', []),
    ('\u0301', []),
])
@pytest.mark.parametrize('caption', ['{}', '{} dog', 'dog {}', 'dog. {}. hot dog',
                                     '고양이 {} 나무'])
def test_phrases_in_any_script_own_exactly_their_tokens(tokenizer, name, words, caption):
    begin = caption.index('{}')
    caption = caption.format(name)
    prompt = Prompt(caption, (Entity(name, ((begin, begin + len(name)), )), ))
    batch = tokenizer(caption, return_offsets_mapping=True)
    tokens = tokenizer.convert_ids_to_tokens(batch['input_ids'])
    (row, ) = positive_map(prompt, batch['offset_mapping'])
    owned = np.flatnonzero(row)
    assert [tokens[i] for i in owned] == words
    assert entities_without_tokens(prompt, batch['offset_mapping']) == [0] * (not words)


def test_a_phrase_that_is_cut_off_owns_nothing(offsets_of):
    """The published rule: its beginning alone is not the phrase."""
    prompt = Prompt('a cat, a dalmatian', (Entity('cat, a dalmatian', ((2, 18), )), ))
    offsets = offsets_of(prompt.caption)[:4] + [(0, 0)]
    assert entities_without_tokens(prompt, offsets) == [0]
