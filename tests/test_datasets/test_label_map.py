"""Label maps as people write them are read, or refused in one sentence."""

import os
import re

import pytest

from glip_mm.datasets.data_error import DataError
from glip_mm.datasets.label_map import checked_label_map, read_label_map, write_label_map


@pytest.mark.parametrize('content, expected', [
    ('{"0": "cat", "1": "dog"}', {0: 'cat', 1: 'dog'}),
    ('{"1": "cat",\r\n "7": "dog"}\r\n', {1: 'cat', 7: 'dog'}),
    ('["cat", "dog"]', {0: 'cat', 1: 'dog'}),
    ('{"cat": 1, "dog": 0}', {1: 'cat', 0: 'dog'}),
    ('{"0": "1", "1": "2"}', {0: '1', 1: '2'}),
])
@pytest.mark.parametrize('mark', ['', '\ufeff'])
def test_forms(content, expected, mark, tmp_path):
    path = tmp_path / 'map.json'
    path.write_bytes((mark + content).encode())
    assert read_label_map(path) == checked_label_map(path) == expected


@pytest.mark.parametrize('content, words', [
    ('7', 'neither an object nor a list'), ('{"a": "b"}', "int.. with base 10: 'a'"),
    ('x', 'is no JSON'), ('{"0": "a", " 0": "b"}', "label 0 is there twice, as 'a' and 'b'"),
    ('{"0": "a", "0": "b"}', 'label 0 is there twice'), ('{"-1": "a"}', 'label -1 is not'),
    ('{"99999999999": "a"}', 'label 99999999999 is not'), ('{"0": 5, "1": "a"}', 'label 0 is no'),
    ('{"0": "\\ud800"}', 'the name of label 0 is no text'), ('[["cat"]]', 'label 0 is no text'),
    ('{"a": 0, "b": 0}', 'label 0 is there twice'), ('{"1.5": "a"}', "'1.5'"),
    ('{"0": null}', 'label 0 is no text'), ('[' * 100_000, 'is no JSON'),
    ('{"label_to_idx": {"cat": 1}}', "'label_to_idx'")])
def test_what_is_none_is_refused_in_one_sentence(content, words, tmp_path):
    path = tmp_path / 'map.json'
    path.write_text(content)
    with pytest.raises(DataError, match=words) as error:
        read_label_map(path)
    assert re.match(f"'{re.escape(str(path))}' (line 1 )?is no ", str(error.value))
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('content, words', [
    ('{"0": "cat", "1": "cat"}', "labels 0 and 1 are both called 'cat'"),
    ('{"0": " "}', "label 0 has the name ' '"), ('[" "]', "label 0 has the name ' '"),
    ('["\u200b\u2060"]', 'label 0 has the name')])
def test_names_that_cannot_be_told_apart(content, words, tmp_path):
    path = tmp_path / 'map.json'
    path.write_text(content)
    with pytest.raises(DataError, match=words):
        checked_label_map(path)
    assert read_label_map(path)


def test_an_empty_one(tmp_path):
    (tmp_path / 'map.json').write_text('{}')
    with pytest.raises(DataError, match='names no class'):
        checked_label_map(tmp_path / 'map.json')
    assert read_label_map(tmp_path / 'map.json') == {}


def test_files_that_are_none(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    for name in ('no.json', 'pipe', ''):
        with pytest.raises(FileNotFoundError, match='label map .* is missing, or no regular file'):
            read_label_map(tmp_path / name)
    (tmp_path / 'a.json').write_bytes('["cat"]'.encode('utf-16'))
    assert read_label_map(tmp_path / 'a.json') == {0: 'cat'}
    (tmp_path / 'a.json').write_bytes(b'["caf\xe9"]')
    with pytest.raises(DataError, match='a.json.* UTF-8'):
        read_label_map(tmp_path / 'a.json')


def test_round_trip(tmp_path):
    write_label_map({7: 'Äffchen', 1: 'dog'}, tmp_path / 'new' / 'a.json')
    assert read_label_map(tmp_path / 'new' / 'a.json') == {1: 'dog', 7: 'Äffchen'}
