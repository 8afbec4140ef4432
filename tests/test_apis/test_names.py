"""Names that are read otherwise than they were meant."""

import pytest


@pytest.mark.parametrize('text, names', [
    ('red circle;blue star', None), ('red circle,blue star', None), ('red circle | box', None),
    ('red circle\nblue star', ['red circle', 'blue star']), ('a. b\r\nc.', ['a', 'b', 'c']),
    ('red circle', ['red circle']), ('st.bernard. box.', ['st.bernard', 'box'])])
def test_names_in_one_string(inferencer, pictures, logged, text, names):
    found = inferencer(f'{pictures}/0.png', text, custom_entities=True, pred_score_thr=0)[0]
    assert found.prompt.names == (names or [text])
    said = [line for line in logged if 'hold marks that separate names elsewhere' in line]
    assert len(said) == (names is None) and all(f'{[text]}' in line for line in said)


@pytest.mark.parametrize('blank', ['', ' ', '\u200b'])
def test_a_blank_name_is_warned_of_and_costs_the_others_nothing(inferencer, pictures, logged,
                                                                blank):
    found = inferencer(f'{pictures}/0.png', ['red circle', blank], pred_score_thr=0)[0]
    assert any(f'[{blank!r}] own no token' in text for text in logged)
    assert set(found.names) == {'red circle'}
