import numpy as np
import pytest

from glip_mm.pseudo_labels import BoxSelection, ClassNames
from glip_mm.pseudo_labels.counts import said_count
from glip_mm.pseudo_labels.questions import Found, without_determiner
from glip_mm.pseudo_labels.selection import grounding_record

BOXES = np.array([[0, 0, 10, 10], [5, 5, 9, 30], [1, 1, 2, 9], [0, 0, 8, 8]], np.float32)
SCORES = np.array([.9, .8, .7, .5], np.float32)
LABELS = np.array([1, 0, 1, 1])


@pytest.mark.parametrize('selection, wanted', [
    (BoxSelection(0.5), [[1], [0, 2], []]),  # a score must be above
    (BoxSelection(0.4), [[1], [0, 2, 3], []]),
    (BoxSelection(0.4, top_k=1), [[1], [0], []]),
    (BoxSelection(0.4, min_size=2), [[1], [0, 3], []]),
    (BoxSelection(0.95), [[], [], []]),
    (BoxSelection(0.4, counts=True), [[1], [0, 2], []]),
    (BoxSelection(0.4, top_k=1, counts=True), [[1], [0], []])])
def test_choose(selection, wanted):
    limits = [1, 2, None]
    assert [index.tolist() for index in selection.choose(BOXES, SCORES, LABELS, limits)] == wanted
    nothing = selection.choose(BOXES[:0], SCORES[:0], LABELS[:0], [1, None])
    assert [len(index) for index in nothing] == [0, 0]


def test_a_box_goes_to_the_best_phrase():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 9, 9], [20, 0, 30, 10]], np.float32)
    labels = np.array([0, 1, 0, 1])

    def choose(**options):
        chosen = BoxSelection(0.4, **options).choose(boxes, SCORES, labels, [1, 1])
        return [index.tolist() for index in chosen]

    assert choose() == [[0, 2], [1, 3]]
    # the second box is the first one's, the third is of the same phrase
    assert choose(cross_nms=0.5) == [[0, 2], [3]]
    assert choose(cross_nms=0.95) == [[0, 2], [1, 3]]
    # the best box of the other phrase is no longer one that is the first one's
    assert choose(cross_nms=0.5, counts=True) == [[0], [3]]
    assert choose(counts=True) == [[0], [1]]


@pytest.mark.parametrize('caption, words, wanted', [
    ('a dog', 'dog', 1), ('a dog', 'a dog', 1), ('Two dogs', 'Two dogs', 2), ('dogs', 'dogs', None),
    ('an owl and 3 red cats', 'red cats', 3), ('a man with dogs', 'dogs', None),
    ('the dogs', 'dogs', None), ('ten', 'ten', 10)])
def test_said_count(caption, words, wanted):
    begin = caption.index(words)
    assert said_count(caption, (begin, begin + len(words))) == wanted


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


def test_names_of_every_image():
    names = ClassNames(['cup', 'mug'], dict(mug=dict(name='mug', prefix='large ')),
                       thresholds=dict(cup=0.75), negatives=['glass'])
    prompt = names.prompt(None)
    assert prompt.caption == 'cup. large mug. glass' and names.least_score(BoxSelection(0.4)) == 0.4
    found = Found(np.array([[0, 0, 8, 8], [20, 0, 30, 9], [0, 0, 8, 9], [50, 0, 60, 9],
                            [20, 0, 29, 9], [0, 0, 8, 2]], np.float32),
                  np.array([.9, .8, .7, .74, .8, .6], np.float32), np.array([2, 0, 1, 0, 2, 1]))
    # the first mug is rather a glass, and one of the cups is as much a glass; another scores less
    # than cups must; the last mug hardly overlaps the glass
    assert names.content(None, prompt, found, BoxSelection(0.4)) == dict(detection=dict(instances=[
        dict(bbox=[0., 0., 8., 2.], label=1, category='mug', score=.6)]))
    nothing = Found(*(part[:0] for part in found))
    assert names.content(None, prompt, nothing, BoxSelection()) == dict(
        detection=dict(instances=[]))
    assert names.facts() == dict(classes=['cup', 'mug'], negatives=['glass'],
                                 prompt='cup. large mug. glass', thresholds=dict(cup=0.75))
    with pytest.raises(ValueError, match="'cup' comes twice"):
        ClassNames(['cup'], negatives=['cup'])
    with pytest.raises(ValueError, match=r"threshold of 'cups', which is none of .*'cup'"):
        ClassNames(['cup'], thresholds=dict(cups=0.5))
