import numpy as np
import pytest

from glip_mm.pseudo_labels import BoxSelection
from glip_mm.pseudo_labels.selection import grounding_record
from glip_mm.pseudo_labels.teacher import without_determiner

BOXES = np.array([[0, 0, 10, 10], [5, 5, 9, 30], [1, 1, 2, 9], [0, 0, 8, 8]], np.float32)
SCORES = np.array([.9, .8, .7, .5], np.float32)
LABELS = np.array([1, 0, 1, 1])


@pytest.mark.parametrize('selection, wanted', [
    (BoxSelection(0.5), [[1], [0, 2], []]),  # a score must be above
    (BoxSelection(0.4), [[1], [0, 2, 3], []]),
    (BoxSelection(0.4, top_k=1), [[1], [0], []]),
    (BoxSelection(0.4, min_size=2), [[1], [0, 3], []]),
    (BoxSelection(0.95), [[], [], []])])
def test_choose(selection, wanted):
    assert [index.tolist() for index in selection.choose(BOXES, SCORES, LABELS, 3)] == wanted
    assert [len(i) for i in selection.choose(BOXES[:0], SCORES[:0], LABELS[:0], 2)] == [0, 0]


def test_record():
    phrases = [('dog', (2, 5)), ('red cat', (12, 19))]
    record = grounding_record('a dog and a red cat', phrases, BOXES, SCORES,
                              [np.array([], int), np.array([0, 2])])
    assert record == dict(
        caption='a dog and a red cat',
        regions=[dict(phrase='red cat', tokens_positive=[[12, 19]], score=[0.9, 0.7],
                      bbox=[[0, 0, 10, 10], [1, 1, 2, 9]])],
        without_box=[dict(phrase='dog', tokens_positive=[[2, 5]])])


def test_determiners():
    assert without_determiner('the red cat', (4, 15)) == ('red cat', (8, 15))
    assert without_determiner('An  owl', (0, 7)) == ('owl', (4, 7))
    assert without_determiner('apple', (0, 5)) == ('apple', (0, 5))
    assert without_determiner('that', (0, 4)) == ('that', (0, 4))
