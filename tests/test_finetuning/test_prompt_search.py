"""The search with hand-made detections: what wins, and what is called better."""

import numpy as np
import pytest

from glip_mm.evaluation.class_ap import ClassMatches, resampled_images
from glip_mm.finetuning.prompt_report import prompt_table
from glip_mm.finetuning.prompt_search import PromptSearch, to_finetune_prompts

IMAGES = 24
CAT, DOG = [{}, dict(name='feline'), dict(name='tiger')], [{}, dict(name='hound')]


def found_in(share, images=IMAGES, offset=0):
    """A box in each of some images; of every ten, ``share`` are found, none wrongly."""
    right = np.tile((np.arange(images) * 7 + offset) % 10 < share, (10, 1))
    boxes = np.zeros(IMAGES)
    boxes[:images] = 1
    return ClassMatches(np.linspace(1, .5, images), np.arange(images), right, ~right, boxes)


class Words:
    """A model that knows some words better; ``hound`` is of no use beside ``feline``."""

    def __init__(self, images=IMAGES):
        self.images, self.asked = images, []

    def __call__(self, wordings, title):
        self.asked += [dict(w) for w in wordings]
        return [self.answer(w['cat'].get('name', 'cat'), w['dog'].get('name', 'dog'))
                for w in wordings]

    def answer(self, cat, dog):
        hound = 2 if cat == 'feline' else 8
        return [found_in(dict(cat=4, feline=9, tiger=1)[cat], self.images),
                found_in(dict(dog=5, hound=hound)[dog])]


def test_the_better_words_win():
    result = PromptSearch(('cat', 'dog'), Words(), resampled_images(IMAGES, 200)).run(
        dict(cat=CAT, dog=DOG))
    assert [(t.words, t.verdict, t.chosen) for t in result.trials] == [
        ('cat', '', False), ('feline', 'helps', True), ('tiger', 'hurts', False),
        # the dog is tried with the cat's new words
        ('dog', '', True), ('hound', 'hurts', False)]
    plain, feline, tiger = result.trials[:3]
    assert plain.AP < feline.AP and feline.difference == pytest.approx(feline.AP - plain.AP)
    assert 0 < feline.interval[0] < feline.difference < feline.interval[1]
    assert plain.interval is None and tiger.interval[1] < 0
    assert result.wordings == dict(cat=dict(name='feline'))
    assert result.AP == pytest.approx(feline.mean_AP) and result.AP > result.start_AP
    assert result.interval[0] > 0
    table = prompt_table(result.trials, dict(cat=(IMAGES, IMAGES), dog=(IMAGES, IMAGES)))
    assert '| cat | 24 / 24 | cat |' in table and '| helps | ✓ |' in table


def test_another_round_knows_what_was_chosen():
    """The dog comes first and takes words that the cat's later choice makes worse."""
    words = Words()
    once = PromptSearch(('cat', 'dog'), words).run(dict(dog=DOG, cat=CAT))
    assert once.wordings == dict(dog=dict(name='hound'), cat=dict(name='feline'))
    words.asked = []
    more = PromptSearch(('cat', 'dog'), words).run(dict(dog=DOG, cat=CAT), rounds=9)
    assert more.wordings == dict(cat=dict(name='feline'))
    # the third changes nothing and is the last
    assert {t.round for t in more.trials} == {1, 2, 3} and more.interval is None
    assert {t.verdict for t in more.trials} == {'', 'helps', 'hurts'}


def test_few_images_prove_nothing():
    for images, verdict in ((5, 'few images'), (10, 'helps')):
        search = PromptSearch(('cat', 'dog'), Words(images), resampled_images(IMAGES, 200), True)
        result = search.run(dict(cat=CAT[:2]))
        assert result.trials[1].difference > 0 and result.trials[1].verdict == verdict
        # only what is certain was to be kept
        assert bool(result.wordings) == (verdict == 'helps')


def test_equal_words_change_nothing():
    words = Words()
    words.answer = lambda cat, dog: [found_in(4, offset=3 * (cat != 'cat')), found_in(5)]
    result = PromptSearch(('cat', 'dog'), words, resampled_images(IMAGES, 200)).run(dict(cat=CAT))
    assert all(t.verdict in ('', 'unclear') for t in result.trials)
    words.answer = lambda cat, dog: [found_in(4), found_in(5)]
    result = PromptSearch(('cat', 'dog'), words).run(dict(cat=CAT))
    assert not result.wordings and result.trials[0].chosen
    # nor do they take the place of a published prompt
    result = PromptSearch(('cat', 'dog'), words).run(dict(cat=CAT), dict(cat=CAT[2]))
    assert result.wordings == dict(cat=CAT[2]) and result.trials[2].chosen


def test_prompts_to_go_on_with():
    result = PromptSearch(('cat', 'dog'), Words()).run(dict(cat=CAT, dog=DOG))
    candidates = dict(cat=CAT, dog=DOG)
    assert to_finetune_prompts(result, candidates, {}) == dict(cat=dict(phrase='feline'))
    # a plain name must be said where a published prompt would stand
    assert to_finetune_prompts(result, candidates, dict(
        cat=dict(name='feline'), dog=dict(suffix=' that barks'))) == dict(dog=dict(phrase='dog'))
