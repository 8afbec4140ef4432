"""Bars of candidate prompts."""

import numpy as np
import PIL.Image
import pytest

from glip_mm.finetuning.prompt_search import Trial
from glip_mm.visualization.prompt_chart import COLORS, MAX_BARS, draw_prompts


def trials(classes=1, candidates=2):
    for k in range(classes):
        yield Trial(1, f'c{k}', {}, .3, 0., None, .3, '')
        for i in range(candidates):
            yield Trial(1, f'c{k}', dict(name=f'word {i}'), .5, .2, (.1, .9), .4, 'helps', not i)


def pixels(path, color):
    wanted = [int(color[i:i + 2], 16) for i in (1, 3, 5)]
    picture = np.asarray(PIL.Image.open(path).convert('RGB')).astype(int)
    return (abs(picture - wanted).max(axis=-1) <= 2).sum()


def test_bars_have_the_colour_of_their_verdict(tmp_path):
    path = draw_prompts(list(trials()), tmp_path / 'a.png')
    # bars of 30 and twice 50 % (the legend's patches are small)
    ratio = pixels(path, COLORS['helps']) / pixels(path, COLORS[''])
    assert 2.5 < ratio < 4


def test_of_many_only_the_plain_and_the_chosen(tmp_path):
    bars = list(trials(classes=12, candidates=6))
    assert len(bars) > MAX_BARS
    few, many = (PIL.Image.open(draw_prompts(b, tmp_path / f'{i}.png')).height
                 for i, b in enumerate((list(trials(12, 1)), bars)))
    assert many == few


def test_another_format(tmp_path):
    with pytest.raises(ValueError, match='must end in one of'):
        draw_prompts(list(trials()), tmp_path / 'a.txt')
