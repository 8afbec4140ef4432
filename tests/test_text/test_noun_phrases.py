import builtins
import socket
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glip_mm.text import Prompt, find_noun_phrases
from glip_mm.text.spans import PUNCTUATION

TAGS = dict(a='DT', the='DT', red='JJ', bigger='JJR', cat='NN', cats='NNS', Rome='NNP', on='IN')


def tagger(words):
    return [TAGS.get(word, 'X') for word in words]


@pytest.mark.parametrize('caption, phrases', [
    ('a red cat', ['a red cat']),
    ('the bigger red cats', ['the bigger red cats']),
    ('red red', []),
    ('a cat cat on Rome', ['a cat cat', 'Rome']),
    ('a a cat', ['a cat']),
    ('a on cat', ['cat']),
    ('cat a cat', ['cat', 'a cat']),
    ('cat, cat', ['cat', 'cat']),
    ('cat red', ['cat']),
])
def test_published_grammar(caption, phrases):
    assert [phrase for phrase, _ in find_noun_phrases(caption, tagger)] == phrases


def test_phrases_are_never_searched_for():
    caption = 'cats on a cat on a cat'
    found = find_noun_phrases(caption, tagger)
    assert found == [('cats', (0, 4)), ('a cat', (8, 13)), ('a cat', (17, 22))]
    prompt = Prompt.from_noun_phrases(caption, tagger)
    assert prompt.names == ['cats', 'a cat', 'a cat']
    assert [entity.spans for entity in prompt.entities] == [((0, 4), ), ((8, 13), ), ((17, 22), )]


def test_special_characters_and_case():
    found = find_noun_phrases('(a red cat) + *Rome*? [cat|', tagger)
    assert found == [('a red cat', (1, 10)), ('Rome', (15, 19)), ('cat', (23, 26))]


def test_no_phrase_says_what_to_do():
    with pytest.raises(ValueError, match="'on on'; mark the phrases yourself with spans"):
        Prompt.from_noun_phrases('on on', tagger)
    with pytest.raises(ValueError, match='is empty'):
        Prompt.from_noun_phrases('', tagger)
    assert find_noun_phrases('  ', tagger) == []


def test_tagger_with_another_number_of_tags():
    with pytest.raises(ValueError, match='returned 1 tags for 2 words'):
        find_noun_phrases('a cat', lambda words: ['NN'])


def test_missing_textblob(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith('textblob'):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', without)
    with pytest.raises(ImportError, match='pip install textblob'):
        find_noun_phrases('a cat')


def test_importing_the_package_loads_no_tagger_and_no_torch():
    code = ("import sys, glip_mm.text.noun_phrases; "
            "print([m for m in ('textblob', 'nltk', 'torch', 'mmdet') if m in sys.modules])")
    # importing glip_mm itself may need more, so the text package is loaded on its own
    stub = ("import sys, types, pathlib; p = types.ModuleType('glip_mm'); "
            "p.__path__ = [str(pathlib.Path('glip_mm').resolve())]; sys.modules['glip_mm'] = p; ")
    import glip_mm.text
    root = glip_mm.text.__path__[0].rsplit('glip_mm', 1)[0]
    out = subprocess.run([sys.executable, '-c', stub + code], cwd=root, capture_output=True,
                         text=True, check=True)
    assert out.stdout.strip() == '[]'


class TestTextblob:

    @pytest.fixture(autouse=True)
    def offline(self, monkeypatch):
        pytest.importorskip('textblob')
        nltk = pytest.importorskip('nltk')

        def refuse(*args, **kwargs):
            raise AssertionError('the tagger went to the network')

        monkeypatch.setattr(socket.socket, 'connect', refuse)
        monkeypatch.setattr(socket, 'create_connection', refuse)
        monkeypatch.setattr(nltk.data, 'path', [])

    def test_caption(self, capsys):
        caption = 'Two black cats lie on a pink Sofa next to a remote control.'
        assert find_noun_phrases(caption) == [('black cats', (4, 14)), ('a pink Sofa', (22, 33)),
                                              ('a remote control', (42, 58))]
        assert capsys.readouterr() == ('', '')

    def test_words_of_a_description(self):
        prompt = Prompt.from_noun_phrases('a striped red circle left of two small blue stars')
        assert prompt.names == ['a striped red circle', 'small blue stars']

    def test_punctuation_inside(self):
        caption = 'A man\'s hat, and the woman "with" a large umbrella (a dog)\na cat'
        assert [phrase for phrase, _ in find_noun_phrases(caption)] == [
            'A man', 'hat', 'the woman', 'a large umbrella', 'a dog', 'a cat'
        ]

    @settings(max_examples=100, deadline=None)
    @given(st.text(st.one_of(st.characters(codec='utf-8'), st.sampled_from(' ./-\'a&;')),
                   max_size=60))
    def test_any_text(self, caption):
        last = 0
        for phrase, (begin, end) in find_noun_phrases(caption):
            assert caption[begin:end] == phrase and last <= begin < end
            assert phrase[0] not in PUNCTUATION and phrase[-1] not in PUNCTUATION
            last = end
