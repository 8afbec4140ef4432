"""Files with definitions of classes."""

import json

import pytest
import yaml

from glip_mm.text import ClassKnowledge, Knowledge

# the fields of the published files
PUBLISHED = {
    'jetski': dict(name='jetski', clean_name='jetski', def_wiki='A powered watercraft.',
                   def_wn='', path_wn='', path_wn3='', gpt3=[' Fast.', ' Wet.', ' Loud.']),
    'car_(vehicle)': dict(name='car_(vehicle)', clean_name='a car', def_wiki=None,
                          def_wn='a motor vehicle', path_wn=[f'word{i}' for i in range(7)],
                          path_wn3=['motor_vehicle', 'thing', 'entity'], gpt3=[' Has wheels.']),
    '': dict(name='', clean_name='', def_wiki=None, def_wn='', path_wn='', path_wn3='', gpt3=[]),
}


@pytest.fixture(params=['.yaml', '.yml', '.json'])
def write(request, tmp_path):
    def save(content):
        path = tmp_path / f'knowledge{request.param}'
        dump = json.dumps if request.param == '.json' else yaml.safe_dump
        path.write_text(dump(content), encoding='utf-8')
        return path
    return save


def test_plain_definitions(write):
    knowledge = Knowledge(write({'jetski': 'small,\n fast boat', 'cat': ['an animal', 'it purrs'],
                                 'dog': None}))
    assert knowledge('jetski') == ClassKnowledge(None, 'small, fast boat')
    assert knowledge('cat') == ClassKnowledge(None, 'an animal it purrs')
    assert knowledge('dog') == ClassKnowledge(None, '')
    assert knowledge('cow') is None


@pytest.mark.parametrize('types, jetski, car', [
    ('def_wiki', 'A powered watercraft.', ''),
    ('def_wn', '', 'a motor vehicle'),
    ('gpt3', 'Fast. Wet.', 'Has wheels.'),
    # five of a list, but a path is one definition
    ('path_wn', '', 'word0 word1 word2 word3 word4 word5 word6'),
    (['def_wiki', 'gpt3'], 'A powered watercraft. Fast. Wet.', 'Has wheels.'),
    (('gpt3', 'def_wn'), 'Fast. Wet.', 'Has wheels. a motor vehicle')])
def test_the_type_selects_the_field(write, types, jetski, car):
    knowledge = Knowledge(write(PUBLISHED), types, max_definitions=2)
    assert knowledge('jetski') == ClassKnowledge('jetski', jetski)
    assert knowledge('car_(vehicle)') == ClassKnowledge('a car', car)


def test_names_match_exactly_then_loosely(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text(json.dumps({'Cat': 'one', 'cat': 'two', 'remote_control (tv)': 'three',
                                'Dog': 'same', 'DOG': 'same', '': 'blank'}))
    knowledge = Knowledge(path)
    assert [knowledge(n).definition for n in ('Cat', 'cat')] == ['one', 'two']
    assert knowledge('Remote control').definition == 'three'
    assert knowledge('dog').definition == 'same'
    assert knowledge('  ').definition == 'blank'
    with pytest.raises(ValueError, match=r"'CAT' may be any of \['Cat', 'cat'\]"):
        knowledge('CAT')


@pytest.mark.parametrize('name, text, words', [
    ('a.yaml', 'cat: [', 'not valid YAML .*line 2'),
    ('a.json', '{"cat": }', 'not valid JSON .*line 1'),
    ('a.txt', 'cat: an animal', 'must be called .yaml, .yml or .json'),
    ('a.yaml', '', 'must map class names to definitions.*got nothing'),
    ('a.yaml', '- cat', 'must map class names to definitions.*got list'),
    ('a.yaml', '1: the number', 'class name 1 is not a text: put it in quotes'),
    ('a.yaml', 'no: refusal', 'class name False is not a text'),
    ('a.yaml', 'cat: 3', "'cat' must be a definition, a list of definitions or null, got 3"),
    ('a.yaml', 'cat: [an animal, 7]', "'cat' must be a definition"),
    ('a.json', b'\x80', 'not in UTF-8'),
    ('a.yaml', 'cat: {def: [{}]}', r"has the fields \['def'\]: choose one or several"),
])
def test_bad_files_are_named(tmp_path, name, text, words):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=words) as info:
        Knowledge(path)
    assert str(path) in str(info.value)


def test_bad_options(tmp_path):
    path = tmp_path / 'a.yaml'
    path.write_text(yaml.safe_dump(PUBLISHED))
    with pytest.raises(ValueError, match=r"no field \['wiki'\] .*it has \['def_wiki', 'def_wn'"):
        Knowledge(path, 'wiki')
    with pytest.raises(ValueError, match='max_definitions=0'):
        Knowledge(path, 'gpt3', max_definitions=0)
    path.write_text('cat: {def: 5}')
    with pytest.raises(ValueError, match="'cat', field 'def' must be a definition"):
        Knowledge(path, 'def')
    path.write_text('cat: {clean_name: 5, def: x}')
    with pytest.raises(ValueError, match='clean_name=5; it must be a text'):
        Knowledge(path, 'def')
    path.write_text('cat: an animal')
    with pytest.raises(ValueError, match='plain definitions, so leave knowledge_type out'):
        Knowledge(path, 'gpt3')
    with pytest.raises(FileNotFoundError, match='none.yaml'):
        Knowledge(tmp_path / 'none.yaml')


def test_the_published_text_of_wiki_and_gpt3(tokenizer, tmp_path):
    """The authors join without cleaning blanks: the same tokens."""
    path = tmp_path / 'a.yaml'
    path.write_text(yaml.safe_dump(PUBLISHED))
    entry = PUBLISHED['jetski']
    theirs = f"jetski: {entry['def_wiki']}" + ' '.join(entry['gpt3'])
    ours = 'jetski: ' + Knowledge(path, ['def_wiki', 'gpt3'])('jetski').definition
    assert tokenizer(ours)['input_ids'] == tokenizer(theirs)['input_ids']
