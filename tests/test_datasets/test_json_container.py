"""The streaming reader gives what ``json.load`` gives, whatever the size of its window."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glip_mm.datasets.json_container import iterate_container

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
    st.text(max_size=3), inner, max_size=3), max_leaves=6)


@settings(max_examples=100, deadline=None)
@given(st.lists(VALUES, max_size=5), st.lists(VALUES, max_size=5), VALUES, st.integers(1, 40),
       st.sampled_from([None, 2]), st.booleans())
def test_same_as_json(tmp_path_factory, images, boxes, info, window, indent, ascii_only):
    path = tmp_path_factory.mktemp('json') / 'a.json'
    path.write_text(json.dumps(dict(boxes=boxes, info=info, images=images, other=[[1], {}]),
                               indent=indent, ensure_ascii=ascii_only), encoding='utf-8')
    found = list(iterate_container(path, ('images', 'boxes'), progress=False, window=window))
    assert found == [('boxes', b) for b in boxes] + [('images', i) for i in images]


@pytest.mark.parametrize('text, words', [
    ('{"images": [{"id": 1}, {"id"', 'images[1]'),
    ('{"images": [1 2]}', "',' or ']'"),
    ('[1, 2]', 'a JSON object'),
    ('{"images": {}}', "'images' is a dict and not a list"),
    ('{"pictures": []}', "no 'images'"),
    ('{"images": [1], "a": 1, "a": 2, "images": [2]}', "has two 'images' at its top"),
    ('', 'a JSON object'),
    ('{"images": [1],}', 'a key in quotes'),
    ('{"images": [1]', 'end of the file'),
])
def test_broken_file_says_where(tmp_path, text, words):
    path = tmp_path / 'broken.json'
    path.write_text(text)
    with pytest.raises(ValueError, match='broken.json') as error:
        list(iterate_container(path, ('images',), progress=False, window=5))
    assert words in str(error.value)


def test_text_that_is_not_utf8(tmp_path):
    path = tmp_path / 'latin.json'
    path.write_bytes('{"images": ["é"]}'.encode('latin-1'))
    with pytest.raises(ValueError, match='not UTF-8'):
        list(iterate_container(path, ('images',), progress=False))


def test_byte_order_mark(tmp_path):
    path = tmp_path / 'bom.json'
    path.write_text('{"images": ["é"]}', encoding='utf-8-sig')
    assert list(iterate_container(path, ('images',), progress=False)) == [('images', 'é')]
