"""Score thresholds by name."""

import os
from pathlib import Path

import pytest

from glip_mm.thresholds import Thresholds, thresholds_file


def test_what_is_understood():
    assert Thresholds.of(0.5) == Thresholds(0.5) and Thresholds.of(0) == Thresholds(0)
    some = Thresholds.of({'cup': 0.5})
    assert some.at(['plate', 'cup']).tolist() == pytest.approx([0.3, 0.5])
    assert Thresholds.of(some) is some and str(some) == '0.3, cup 0.5'
    for wrong in (-0.1, 1.5, True, 'x', {'cup': None}, float('nan')):
        with pytest.raises(ValueError, match='give a number from 0 to 1'):
            Thresholds.of(wrong)


def test_words_of_a_command_line(tmp_path):
    path = Thresholds(0.25, {'cup': 0.123456789, 'a=b': 1}).save(tmp_path / 'x.json')
    assert Thresholds.parse([str(path), 'plate=0.5']) == Thresholds(
        0.25, {'cup': 0.123456789, 'a=b': 1, 'plate': 0.5})
    assert Thresholds.parse(['coffee maker=0.5', '0.2', 'a=b=0.1']) == Thresholds(
        0.2, {'coffee maker': 0.5, 'a=b': 0.1})
    for wrong in ('cup', 'cup=', 'cup=high'):
        with pytest.raises(ValueError, match=f"'{wrong}' is no threshold"):
            Thresholds.parse([wrong])


def test_thresholds_of_names_that_nothing_looks_for(tmp_path):
    path = Thresholds(0.25, {'cup': 0.1, 'mug': 1}).save(tmp_path / 'x.json')
    words = [str(path), 'plaet=0.5', 'mug=0.5', 'red=0.2', '0.3']
    # those of a file are not meant for this prompt alone
    assert Thresholds.parse(words).of_others(['plate', 'red box']) == ['mug', 'plaet', 'red']
    assert Thresholds.parse(words).of_others(['plaet', 'red', 'mug']) == []


def test_beside_a_checkpoint(tmp_path):
    checkpoint = tmp_path / 'model.v2.pth'
    assert Thresholds.beside(checkpoint) == Thresholds.beside(None) == Thresholds()
    stored = Thresholds(0.4, {'雪': 0.5})
    assert stored.save(thresholds_file(checkpoint)).name == 'model.v2.thresholds.json'
    assert Thresholds.beside(checkpoint) == stored
    edited = '\ufeff' + thresholds_file(checkpoint).read_text()
    thresholds_file(checkpoint).write_text(edited)
    assert Thresholds.beside(checkpoint) == stored
    for text in ('[]', '[' * 101 + ']' * 101, '{"default": 1}', '{',
                 '{"default": 2, "thresholds": {}}', '{"default": 0.3, "thresholds": [1]}'):
        thresholds_file(checkpoint).write_text(text)
        with pytest.raises(ValueError, match='is no file of thresholds'):
            Thresholds.beside(checkpoint)
    with pytest.raises(FileNotFoundError, match='none.json'):
        Thresholds.read(tmp_path / 'none.json')


@pytest.mark.parametrize('make', [
    Path.mkdir, os.mkfifo, lambda path: path.symlink_to('gone'),
    lambda path: path.symlink_to('/dev/zero')])
def test_what_is_no_file_beside_a_checkpoint_is_said(make, tmp_path):
    make(thresholds_file(tmp_path / 'a.pth'))
    with pytest.raises(ValueError, match='a.thresholds.json.*no regular file'):
        Thresholds.beside(tmp_path / 'a.pth')
