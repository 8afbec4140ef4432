"""Few-shot subsets by the published rule."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glip_mm.finetuning.few_shot import greedy_shots, subset


def coco(*categories_of_images):
    annotations = [dict(id=1, image_id=i, category_id=c, bbox=[0, 0, 9, 9])
                   for i, cs in enumerate(categories_of_images) for c in cs]
    return dict(images=[dict(id=i) for i in range(len(categories_of_images))],
                annotations=annotations,
                categories=[dict(id=c, name=str(c)) for c in (1, 2, 7)])


def test_by_hand():
    # the third holds nothing that is wanted any more, the last the rare class
    content = coco([1], [1, 2, 2], [1, 2], [], [1], [7, 1])
    assert greedy_shots(content, 1) == [0, 1, 5]
    assert greedy_shots(content, 2) == [0, 1, 2, 5]
    kept = subset(content, [1, 5])
    assert [i['id'] for i in kept['images']] == [1, 5] and len(kept['annotations']) == 5
    assert kept['categories'] == content['categories']


def test_a_seed_shuffles_ascending_ids():
    content = coco(*[[1]] * 9)
    content['images'].reverse()
    ids = list(range(9))
    random.Random(30).shuffle(ids)
    assert greedy_shots(content, 3, 30) == ids[:3]
    assert greedy_shots(content, 3) == [0, 1, 2]


def test_boxes_of_a_pixel_do_not_count():
    content = coco([1], [1])
    content['annotations'][0]['bbox'] = [3, 3, 1, 20]
    assert greedy_shots(content, 1) == [1]


@settings(deadline=None)
@given(st.lists(st.sets(st.sampled_from([1, 2, 7])), min_size=1, max_size=20),
       st.integers(1, 3), st.sampled_from([0, 3, 30, 300]))
def test_each_class_as_often_as_wanted_or_as_there_is(images, shots, seed):
    held = Counter(c for cs in images for c in cs)
    content = coco(*images)
    if not held or max(held.values()) < shots:
        with pytest.raises(ValueError, match='shots|no image'):
            greedy_shots(content, shots, seed)
        return
    chosen = greedy_shots(content, shots, seed)
    found = Counter(c for i in chosen for c in images[i])
    assert len(set(chosen)) == len(chosen)
    assert all(found[c] >= min(shots, held[c]) for c in held)
    # no image was taken in vain: without the last one a class is short
    rest = Counter(c for i in chosen[:-1] for c in images[i])
    assert any(rest[c] < min(shots, held[c]) for c in held)


def test_none_at_all():
    with pytest.raises(ValueError, match='at least 1, got 0'):
        greedy_shots(coco([1]), 0)
