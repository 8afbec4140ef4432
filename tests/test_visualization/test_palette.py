"""Colours are deterministic and far from each other."""

import numpy as np
import pytest

from glip_mm.visualization.palette import DARK, PALETTE, entity_colors, readable_on


def oklab(colors) -> np.ndarray:
    linear = np.asarray(colors, dtype=float) / 255
    linear = np.where(linear <= .04045, linear / 12.92, ((linear + .055) / 1.055)**2.4)
    lms = linear @ np.array([[.4122214708, .5363325363, .0514459929],
                             [.2119034982, .6806995451, .1073969566],
                             [.0883024619, .2817188376, .6299787005]]).T
    return np.cbrt(lms) @ np.array([[.2104542553, .7936177850, -.0040720468],
                                    [1.9779984951, -2.4285922050, .4505937099],
                                    [.0259040371, .7827717662, -.8086757660]]).T


def nearest(colors) -> float:
    lab = oklab(colors)
    distance = np.linalg.norm(lab[:, None] - lab[None], axis=-1)
    return distance[~np.eye(len(lab), dtype=bool)].min()


def test_colours_are_apart():
    assert nearest(PALETTE) > 0.1
    assert nearest(PALETTE[:6]) > 0.15


def test_text_is_readable_on_every_colour():
    for color in PALETTE:
        ink = np.abs(oklab([readable_on(color)]) - oklab([color]))[0, 0]
        assert ink > 0.25, color


def test_colours_follow_labels():
    assert entity_colors(3) == entity_colors(3, shown=[2]) == list(PALETTE[:3])


def test_a_long_vocabulary_colours_what_is_shown():
    shown = [3, 23, 43, 1000]  # all the same modulo 20
    colors = entity_colors(1203, shown)
    assert [colors[label] for label in shown] == list(PALETTE[:4])
    assert len(colors) == 1203


def test_other_palettes():
    assert entity_colors(3, palette=[(1, 2, 3), (4, 5, 6)]) == [(1, 2, 3), (4, 5, 6), (1, 2, 3)]
    assert entity_colors(2, palette='none') == list(PALETTE[:2])
    assert len(set(entity_colors(100, palette='coco'))) == 80
    assert entity_colors(5, palette='random') == entity_colors(5, palette='random')
    with pytest.raises(ValueError, match="'pink'"):
        entity_colors(2, palette='pink')
    with pytest.raises(ValueError, match='no colour'):
        entity_colors(2, palette=[])


def test_dark_is_not_used_on_dark():
    assert readable_on(DARK) != DARK
