"""Names that compete and are not returned."""

import numpy as np
import pytest

from glip_mm.apis.negatives import with_negatives, without_negatives
from glip_mm.apis.result import GroundingResult
from glip_mm.text import Prompt


def test_they_come_after_the_names():
    prompt = Prompt.from_names(['car', 'bus'], caption_prompt={'car': {'prefix': 'a '}})
    both = with_negatives(prompt, 'red car')
    assert both.caption == 'a car. bus. red car' and both.names == ['car', 'bus', 'red car']
    for entity, words in zip(both.entities, ['car', 'bus', 'red car']):
        assert [both.caption[b:e] for b, e in entity.spans] == [words]
    assert both.select([2, 0]).caption == 'red car. a car'
    phrases = with_negatives(Prompt.from_caption('a car here', [[[0, 5]]]), ['bus'])
    assert phrases.caption == 'a car here. bus' and phrases.pieces is None
    assert with_negatives(prompt, ()) is prompt
    with pytest.raises(ValueError, match=r"negatives=\['bus'\] are looked for"):
        with_negatives(prompt, ['bus', 'tram'])


def test_who_wins_a_box():
    prompt = Prompt.from_names(['car', 'bus'])
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [50, 0, 60, 10], [50, 0, 60, 10],
                      [50, 0, 60, 10], [90, 0, 99, 10], [95, 0, 104, 10]], np.float32)
    labels = np.array([0, 2, 0, 1, 2, 0, 2])
    scores = np.array([.5, .6, .5, .3, .4, .2, .9], np.float32)
    found = without_negatives(GroundingResult(
        boxes, scores, labels, [['car', 'bus', 'red car'][i] for i in labels]), prompt)
    # beaten; better than the negative; worse than it; another place
    assert found.names == ['car', 'car'] and found.boxes[:, 0].tolist() == [50, 90]
    assert found.prompt is prompt


def test_in_a_call(inferencer, pictures):
    image, names = f'{pictures}/0.png', ['red circle', 'box']
    found = inferencer(image, names, negatives=['blue star'])[0]
    assert set(found.names) <= set(names) and found.prompt.names == names
    whole = inferencer(image, [*names, 'blue star'])[0]
    wanted = without_negatives(whole, found.prompt)
    assert 0 < len(found) == len(wanted) < len(whole)
    np.testing.assert_array_equal(found.scores, wanted.scores)
