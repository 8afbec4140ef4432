"""Candidates of a file, of templates, and what is wrong with them."""

import json

import pytest

from glip_mm.finetuning.prompt_candidates import all_candidates, read_candidates, wording
from glip_mm.text import Prompt

CLASSES = ('stingray', 'red_cell')


def write(tmp_path, text, name='c.json'):
    (tmp_path / name).write_text(text)
    return tmp_path / name


def test_phrases_templates_and_parts(tmp_path):
    path = write(tmp_path, json.dumps(dict(stingray=[
        'flat fish', '{} which is flat and round', dict(phrase='ray', prefix='a '), 'stingray'])))
    found = all_candidates(CLASSES, path, published=dict(red_cell=dict(name='RBC')))
    assert [[wording(c, o) for o in overrides] for c, overrides in found.items()] == [
        ['stingray', 'flat fish', '[stingray] which is flat and round', 'a [ray]'],
        ['red cell', 'RBC']]
    # what is looked for are the words of the class, not those that describe it
    prompt = Prompt.from_names(CLASSES, caption_prompt=dict(stingray=found['stingray'][2]))
    assert prompt.caption == 'stingray which is flat and round. red cell'
    assert prompt.entities[0].spans == ((0, 8), )


def test_yaml_and_templates_for_all(tmp_path):
    path = write(tmp_path, 'stingray:\n  - flat fish\n', 'c.yml')
    found = all_candidates(CLASSES, path, ['a photo of a {}', '{}'])
    assert [wording('stingray', o) for o in found['stingray']] == [
        'stingray', 'flat fish', 'a photo of a [stingray]']
    assert [wording('red_cell', o) for o in found['red_cell']] == [
        'red cell', 'a photo of a [red cell]']
    # a file alone leaves the other classes alone
    assert list(all_candidates(CLASSES, path)) == ['stingray']


def test_blanks_alone_are_no_other_prompt():
    found = all_candidates(CLASSES, templates=['a {}', ' {}'],
                           published=dict(stingray=dict(prefix=' ')))
    assert [wording('stingray', o) for o in found['stingray']] == ['stingray', 'a [stingray]']


def test_without_anything_some_templates_are_tried():
    found = all_candidates(CLASSES)
    assert [wording('stingray', o) for o in found['stingray']] == [
        'stingray', 'a [stingray]', '[stingray]s', 'a photo of a [stingray]']


@pytest.mark.parametrize('content, message', [
    ('[', 'not valid JSON'), ('[]', 'for at least one class'), ('{}', 'for at least one class'),
    ('{"shark": ["x"]}', r"names \['shark'\]; the classes are"),
    ('{"stingray": []}', "'stingray' must have a list of candidates that is not empty"),
    ('{"stingray": "ray"}', "a list of candidates that is not empty, got 'ray'"),
    ('{"stingray": [" . "]}', "the candidate ' . ', which holds no word"),
    ('{"stingray": [3]}', "'stingray' must be a dict with keys among"),
    ('{"stingray": [{"name": "x"}]}', "keys among .'phrase', 'prefix', 'suffix'"),
    ('{"stingray": [{"phrase": "?"}]}', "phrase='\\?'; it must be a text with words"),
    ('{"stingray": [{"prefix": " "}]}', 'which changes no word'),
    ('{"stingray": ["{} or {}"]}', 'must be in it once')])
def test_what_is_wrong_with_a_file(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read_candidates(write(tmp_path, content), CLASSES)


def test_other_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="'none.json' is missing"):
        read_candidates('none.json', CLASSES)
    with pytest.raises(ValueError, match='not valid YAML'):
        read_candidates(write(tmp_path, 'a: [', 'c.yaml'), CLASSES)
    with pytest.raises(ValueError, match="'a photo' has no {}"):
        all_candidates(CLASSES, templates=['a photo'])
