"""Boxes that are in another format or outside their image are found, good ones are left alone."""

import pytest

from glip_mm.evaluation.preflight import Findings
from glip_mm.evaluation.preflight.boxes import check_boxes


def look(boxes, size=(160, 120), **more):
    findings = Findings()
    content = dict(images=[dict(id=1, width=size[0], height=size[1])],
                   categories=[dict(id=3, name='cat')],
                   annotations=[dict(dict(id=i, image_id=1, category_id=3, bbox=list(b)), **more)
                                for i, b in enumerate(boxes)])
    check_boxes('set', content, findings)
    return findings


GOOD = [(10, 20, 50, 60)] * 20


def test_good_boxes_are_left_alone():
    found = look(GOOD + [(0, 0, 160, 120), (-0.5, 0, 20, 20)])
    assert (found.errors, found.warnings, found.notes) == ([], [], [])


@pytest.mark.parametrize('bad', [(170, 20, 50, 60), (10, 20, 0, 5), (50, 50, -20, 10)])
def test_boxes_that_hold_nothing_are_counted(bad):
    found = look([*GOOD, bad])
    assert found.errors == [] and len(found.warnings) == 1
    text = found.warnings[0]
    assert '1 of 21 boxes have no area or lie outside' in text
    assert 'annotation 20' in text and str(list(bad)) in text and '160 x 120' in text


def test_a_set_of_nothing_but_such_boxes_is_an_error():
    assert 'lie outside their image' in look([(170, 20, 50, 60)]).errors[0]


def test_few_boxes_that_stick_out_are_a_note_and_many_a_warning():
    found = look([*GOOD, (140, 100, 60, 60)])
    assert (found.errors, found.warnings) == ([], []) and 'stick out' in found.notes[0]
    found = look([(5, 5, 4, 4)] + [(140, 100, 60, 60)] * 2)
    assert found.errors == [] and '2 of 3 boxes stick out' in found.warnings[0]


def test_corners_for_sizes():
    found = look([(10, 20, 60, 80), (80, 30, 150, 110), (90, 20, 140, 100)])
    assert len(found.errors) == 1 and 'would fit as [x1, y1, x2, y2]' in found.errors[0]
    # the same corners of an image in which they fit as they are
    assert look([(10, 20, 60, 80), (80, 30, 150, 110)], size=(400, 300)).errors == []


def test_fractions_for_pixels():
    assert 'fractions of the image' in look([(0.1, 0.2, 0.3, 0.5)]).errors[0]


@pytest.mark.parametrize('box', [(1, 2, 3), ('1', 2, 3, 4), (1, 2, float('nan'), 4), None])
def test_boxes_that_are_no_four_numbers(box):
    assert 'not four finite numbers' in look([box] if box else [()]).errors[0]


@pytest.mark.parametrize('key, listed', [('category_id', 'categories'), ('image_id', 'images')])
def test_ids_that_are_not_listed(key, listed):
    found = look(GOOD, **{key: 99})
    assert f"the {key} of 20 of 20 annotations is not among the file's {listed}" in found.errors[0]
    assert '99' in found.errors[0]
    findings = Findings()
    check_boxes('set', dict(
        images=[dict(id=1, width=9, height=9)], categories=[dict(id=3, name='cat')],
        annotations=[dict(id=i, bbox=[1, 1, 4, 4], **dict(dict(image_id=1, category_id=3),
                                                         **({key: 99} if i else {})))
                     for i in range(2)]), findings)
    assert findings.errors == [] and '1 of 2 annotations' in findings.warnings[0]
