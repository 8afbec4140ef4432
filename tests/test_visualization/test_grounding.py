"""Boxes in the colour of their words, on any background."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from glip_mm.text import Prompt
from glip_mm.visualization import PALETTE, draw_grounding, make_sheet
from glip_mm.visualization.caption import GREY, caption_pieces, draw_caption
from glip_mm.visualization.tags import TakenPlaces, place_tag

CAPTION = 'a red circle left of two blue stars'
PROMPT = Prompt.from_caption(CAPTION, [[[0, 12]], [[21, 35]]])


def result(labels=(0, 1), scores=(0.9, 0.8)):
    boxes = [[40, 60, 140, 160], [200, 100, 380, 280]][:len(labels)]
    return SimpleNamespace(boxes=boxes, labels=list(labels), scores=scores,
                           names=[PROMPT.names[label] for label in labels])


def has_color(image, color) -> bool:
    return bool((np.asarray(image) == np.array(color)).all(axis=-1).any())


@pytest.mark.parametrize('background', [0, 128, 255])
def test_box_and_words_share_a_colour(background):
    image = np.full((320, 400, 3), background, np.uint8)
    drawn = draw_grounding(image, result(), PROMPT)
    assert drawn.shape[1] == 400 and drawn.shape[0] > 320 and drawn.dtype == np.uint8
    for color in PALETTE[:2]:
        assert has_color(drawn[:320], color) and has_color(drawn[320:], color)
    assert (image == background).all()
    # the box is where it was asked for: the last row inside is y2 - 1
    assert tuple(drawn[160 - 1, 90]) == PALETTE[0] != tuple(drawn[160 + 2, 90])


def test_entities_without_a_box_are_grey():
    image = np.full((320, 400, 3), 60, np.uint8)
    drawn = draw_grounding(image, result(scores=(0.9, 0.1)), PROMPT)
    assert not has_color(drawn, PALETTE[1])
    assert has_color(drawn[320:], GREY)
    assert not has_color(draw_grounding(image, result(), PROMPT)[320:], GREY)


def test_ground_truth_has_no_scores_and_no_threshold():
    image = np.full((320, 400, 3), 60, np.uint8)
    truth = draw_grounding(image, result(scores=None), PROMPT)
    assert has_color(truth[:320], PALETTE[0]) and has_color(truth[:320], PALETTE[1])


def test_nothing_found_and_no_caption():
    image = np.full((320, 400, 3), 60, np.uint8)
    nothing = result(labels=(), scores=())
    np.testing.assert_array_equal(draw_grounding(image, nothing), image)
    assert draw_grounding(image, nothing, PROMPT).shape[0] > 320
    np.testing.assert_array_equal(draw_grounding(image, nothing, PROMPT, caption=False), image)
    assert draw_grounding(image, nothing, title='truth').shape[0] > 320


def test_small_images_are_enlarged():
    image = np.zeros((30, 40, 3), np.uint8)
    small = SimpleNamespace(boxes=[[5, 5, 20, 20]], labels=[0], scores=[0.9], names=['x'])
    drawn = draw_grounding(image, small)
    assert drawn.shape == (240, 320, 3)
    assert tuple(drawn[20 * 8 - 1, 12 * 8]) == PALETTE[0]
    assert draw_grounding(image, small, min_width=0).shape == (30, 40, 3)


def test_boxes_outside_the_image():
    image = np.zeros((100, 330, 3), np.uint8)
    odd = SimpleNamespace(boxes=[[-50, -50, 900, 900], [500, 500, 600, 600], [9, 9, 9, 9]],
                          labels=[0, 0, 0], scores=[0.9] * 3, names=['x' * 200] * 3)
    assert draw_grounding(image, odd).shape == image.shape


def test_wrong_arguments():
    with pytest.raises(ValueError, match='height, width, 3'):
        draw_grounding(np.zeros((5, 5), np.uint8), result(), PROMPT)
    with pytest.raises(ValueError, match='2 entities'):
        draw_grounding(np.zeros((99, 99, 3), np.uint8),
                       SimpleNamespace(boxes=[[0, 0, 5, 5]], labels=[2], scores=[1], names=['']),
                       PROMPT)


def test_pieces_cover_the_caption():
    pieces = caption_pieces(PROMPT)
    text = ''.join(' ' * piece.blank + piece.text for piece in pieces)
    assert text == CAPTION
    assert [piece.text for piece in pieces if piece.entity == 1] == ['two', 'blue', 'stars']


def test_words_of_two_entities_belong_to_the_found_one():
    prompt = Prompt.from_caption("the dog's tail", [[[0, 7]], [[0, 14]]])
    assert [p.entity for p in caption_pieces(prompt)] == [0, 0, 1, 1]
    assert [p.entity for p in caption_pieces(prompt, found={1})] == [1, 1, 1]


@pytest.mark.parametrize('width', [60, 200, 900])
def test_captions_wrap(width):
    prompt = Prompt.from_caption('an unbelievablylongwordwithoutanyblank and ' + CAPTION,
                                 [[[0, 38]]])
    strip = draw_caption(prompt, width, PALETTE, {0}, max_lines=50)
    assert strip.shape[1] == width
    # nothing is drawn over the edge: a column of paper stays free on the right
    assert (strip[:, -2:] == strip[0, 0]).all()
    higher = draw_caption(prompt, width // 2, PALETTE, {0}, max_lines=50)
    assert higher.shape[0] > strip.shape[0] or width == 900


def test_long_vocabularies_show_what_was_found():
    prompt = Prompt.from_names([f'class {i}' for i in range(1200)])
    colors = [PALETTE[0]] * 1200
    strip = draw_caption(prompt, 400, colors, {7, 900})
    assert strip.shape[0] < 120 and has_color(strip, PALETTE[0])
    assert draw_caption(prompt, 400, colors, ()).shape[0] < 120


def test_tags_avoid_each_other():
    box, size, canvas = (50, 50, 120, 120), (60, 14), (400, 400)
    taken, places = [], TakenPlaces(canvas)
    for _ in range(4):
        place = place_tag(box, size, canvas, places)
        assert all(place[2] <= t[0] or t[2] <= place[0] or place[3] <= t[1] or t[3] <= place[1]
                   for t in taken)
        taken.append(place)
        places.add(place)
    assert taken[0] == (50, 36, 110, 50)
    assert place_tag((-20, -20, 500, 500), size, canvas, TakenPlaces(canvas))[:2] >= (0, 0)


def test_tags_hide_what_they_cover():
    places = TakenPlaces((100, 50))
    places.add((10, 10, 30, 20))
    places.add((20, 10, 40, 20))
    assert places.hidden((0, 0, 100, 50)) == 400
    assert places.hidden((25.2, 15, 26.4, 60)) == 2 * 5
    assert places.hidden((40, 0, 300, 50)) == 0


def test_sheet():
    images = [np.full((h, w, 3), 9, np.uint8) for h, w in [(10, 20), (40, 20), (5, 5)]]
    sheet = make_sheet(images, columns=2, cell_width=40, gap=10)
    assert sheet.shape == (10 + 80 + 10 + 40 + 10, 10 + 40 + 10 + 40 + 10, 3)
    assert (sheet[10:30, 10:50] == 9).all() and not (sheet[30:80, 10:50] == 9).any()
    assert make_sheet(images[:1], columns=3, cell_width=40, gap=10).shape == (40, 60, 3)
    with pytest.raises(ValueError, match='at least one'):
        make_sheet([])
    with pytest.raises(ValueError, match='columns=0'):
        make_sheet(images, columns=0)


def work_of_drawing(count):
    """Numbers of calls, of Python and of C, and of pixels compared by tags, to draw boxes."""
    corners = np.random.default_rng(0).uniform(0, (1000, 760), (count, 2))
    found = SimpleNamespace(boxes=np.hstack([corners, corners + 40]), labels=[0] * count,
                            scores=np.linspace(0.9, 0.4, count), names=['cup'] * count)
    image, calls, pixels = np.zeros((800, 1040, 3), np.uint8), [], []
    hidden = TakenPlaces.hidden

    def count_pixels(self, place):
        pixels.append(self._count[self._part(place)].size)
        return hidden(self, place)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TakenPlaces, 'hidden', count_pixels)
        patch.setattr('glip_mm.visualization.grounding.MOST_HIDDEN', 99)  # tags of one size
        before = sys.getprofile()
        sys.setprofile(lambda frame, event, argument: calls.append(event.endswith('call')))
        try:
            draw_grounding(image, found)
        finally:
            sys.setprofile(before)
    return np.array([sum(calls), sum(pixels)])


def test_drawing_is_linear_in_boxes():
    work_of_drawing(3)  # fonts are read once
    one, two, four = map(work_of_drawing, (100, 200, 400))
    assert (one > 1000).all()
    # what is quadratic would cost four times as much for the second step as for the first
    np.testing.assert_allclose((four - two) / (two - one), 2, rtol=0.15)


def test_many_tags_are_small():
    """A picture full of small things is still seen."""
    image = np.zeros((1120, 1120, 3), np.uint8)
    places = np.stack(np.meshgrid(range(20, 1100, 90), range(40, 1100, 90)), -1).reshape(-1, 2)

    def hidden(rows):
        found = SimpleNamespace(boxes=np.hstack([places, places + 30])[rows], scores=None,
                                labels=[0] * len(places[rows]), names=['yellow heart'] * 144)
        return (draw_grounding(image, found) != 0).any(axis=-1).mean()
    assert hidden(slice(None)) < 0.4
    assert hidden(slice(3)) / 3 > 2 * hidden(slice(None)) / 144  # few have the usual size
