import pytest

from glip_mm.text import clean_name
from glip_mm.text.names import split_custom_entities


@pytest.mark.parametrize('raw, cleaned', [
    ('bow_(weapon)', 'bow '),
    ('__background__', ' background '),
    ('a_(b)_c_(d)', 'a '),
    ('a   b', 'a  b'),
    ('  ', ' '),
    ('Cat-Bengal', 'Cat-Bengal'),
    ('fish ', 'fish '),
])
def test_clean_name_is_the_published_one(raw, cleaned):
    assert clean_name(raw) == cleaned


@pytest.mark.parametrize('text, names', [
    ('cat. remote control', ['cat', 'remote control']),
    ('cat. remote control. ', ['cat', 'remote control']),
    ('cat . dog .', ['cat', 'dog']),
    ('st.bernard. cat.', ['st.bernard', 'cat']),
    ('bench', ['bench']),
])
def test_split_custom_entities(text, names):
    assert split_custom_entities(text) == names


@pytest.mark.parametrize('text', ['', ' ', '. ', '. . .'])
def test_split_custom_entities_without_a_name(text):
    with pytest.raises(ValueError, match='holds no name'):
        split_custom_entities(text)
