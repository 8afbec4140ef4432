import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glip_mm.text import Prompt, split_names, split_prompt

from .test_prompt import AQUARIUM, AQUARIUM_PROMPT

CHUNK_OF_ALL = 'pneumonoultramicroscopicsilicovolcanoconiosis'


def words(texts):
    """A counter whose counts add up: words and full stops."""
    return [len(text.replace('.', ' . ').split()) for text in texts]


def test_short_lists_stay_whole(coco_names, count_tokens):
    assert split_names(coco_names, count_tokens) == [list(range(80))]
    assert split_names(coco_names, count_tokens, max_tokens=192) == [list(range(80))]
    assert len(split_names(coco_names, count_tokens, max_tokens=191)) == 2


def test_long_vocabulary(coco_names, count_tokens):
    names = [f'{name} {i}' for i in range(16) for name in coco_names][:1203]
    groups = split_names(names, count_tokens)
    assert sum(groups, []) == list(range(1203))
    counts = count_tokens([Prompt.from_names([names[i] for i in g]).caption for g in groups])
    assert max(counts) <= 254
    # greedy: the first name of the next group would not have fitted
    for group, following in zip(groups, groups[1:]):
        more = Prompt.from_names([names[i] for i in group + following[:1]])
        assert count_tokens([more.caption])[0] > 254


def test_no_separator_after_the_last_name():
    # 'a. b' is three words: a trailing separator would be a fourth
    assert split_names(['a', 'b', 'c'], words, max_tokens=3) == [[0, 1], [2]]


def test_fixed_class_count(coco_names, count_tokens):
    names = (coco_names * 16)[:1203]
    groups = split_names(names, count_tokens, max_classes=40)
    assert [len(group) for group in groups] == [40] * 30 + [3]
    assert sum(groups, []) == list(range(1203))


def test_fixed_class_count_that_does_not_fit(coco_names, count_tokens):
    with pytest.raises(ValueError, match="classes 0 'person' to 39 .* lower max_classes=40"):
        split_names(coco_names, count_tokens, max_tokens=50, max_classes=40)
    with pytest.raises(ValueError, match='at least 1, got 0'):
        split_names(coco_names, count_tokens, max_classes=0)


@pytest.mark.parametrize('position', [0, 1, 3])
def test_a_name_that_fits_nowhere(position, count_tokens):
    names = ['cat', 'dog', 'cow']
    names.insert(position, CHUNK_OF_ALL)
    count = count_tokens([CHUNK_OF_ALL])[0]
    with pytest.raises(ValueError, match=f"class {position} '{CHUNK_OF_ALL}' needs {count} "
                       f'tokens.* room for {count - 1}.*max_tokens'):
        split_names(names, count_tokens, max_tokens=count - 1)
    assert sum(split_names(names, count_tokens, max_tokens=count), []) == [0, 1, 2, 3]


def test_prefixes_and_suffixes_count():
    plain = split_names(AQUARIUM, words, max_tokens=13)
    prompted = split_names(AQUARIUM, words, max_tokens=13, caption_prompt=AQUARIUM_PROMPT)
    assert plain == [list(range(7))]
    assert prompted == [[0, 1, 2], [3, 4, 5], [6]]


def test_prompts_split_with_their_own_overrides(count_tokens):
    prompt = Prompt.from_names(AQUARIUM, caption_prompt=AQUARIUM_PROMPT)
    groups = split_prompt(prompt, count_tokens, max_classes=3)
    assert [prompt.select(group).caption for group in groups] == [
        ' fish. jellyfish. penguin , which is black and white',
        'puffin with orange beaks . shark. starfish', 'stingray which is flat and round'
    ]


def test_captions_stay_whole_or_raise(count_tokens):
    prompt = Prompt.from_caption('a cat on a sofa', [[0, 5], [9, 15]])
    assert split_prompt(prompt, count_tokens, max_tokens=5) == [[0, 1]]
    assert split_prompt(prompt, count_tokens, max_classes=1) == [[0, 1]]
    with pytest.raises(ValueError, match="'a cat on a sofa' needs 5 tokens.* room for 4"):
        split_prompt(prompt, count_tokens, max_tokens=4)


@settings(deadline=None)
@given(names=st.lists(st.text('ab -', min_size=1, max_size=9).filter(str.strip), min_size=1,
                      max_size=12), max_tokens=st.integers(9, 30), glue=st.booleans())
def test_nothing_is_lost_and_everything_fits(names, max_tokens, glue):
    """Also with a counter whose counts don't add up, like byte-pair tokenizers."""

    def count(texts):
        return [len(text) // 2 + (glue and ' . ' in text) for text in texts]

    groups = split_names(names, count, max_tokens=max_tokens)
    assert sum(groups, []) == list(range(len(names)))
    prompt = Prompt.from_names(names)
    assert max(count([prompt.select(group).caption for group in groups])) <= max_tokens
