"""A world in which boxes cover part of the vocabulary, and captions without boxes all of it.

The gold data show and name a few colours, shapes, patterns and relations. The pool, many times as
large, shows everything and has captions only. They are descriptive, so a new word rarely stands
alone: its meaning can be inferred from the known words beside it ("a large red *star*" where one
thing is large and red). This is how a teacher's labels can teach a student concepts that the
teacher was never taught (GLIP, section 3.3).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .annotations import (
    Picture,
    write_captions,
    write_coco,
    write_odvg_detection,
    write_odvg_grounding,
)
from .captions import RELATIONS, Caption, write_caption
from .drawing import Box, draw_picture
from .scene import Look, Thing, any_look
from .vocabulary import PATTERNS, Pair, all_pairs

VERSION = 2  # increment when the same options produce different files
#: Words that occur only in captions without boxes.
NEW_COLOURS = ('orange', 'purple')
NEW_SHAPES = ('star', 'ring', 'arrow')
NEW_PATTERNS = ('checkered',)
NEW_RELATIONS = ('above', 'below')


def is_new(pair: Pair) -> bool:
    """Return whether a pair's name has a word that no box of the gold data names."""
    return pair.colour in NEW_COLOURS or pair.shape in NEW_SHAPES


def known_pairs() -> list[Pair]:
    """List the 30 pairs that the gold data show and name."""
    return [pair for pair in all_pairs() if not is_new(pair)]


def new_pairs() -> list[Pair]:
    """List the 34 pairs that the gold data neither show nor name."""
    return [pair for pair in all_pairs() if is_new(pair)]


class SelfTrainingOptions(NamedTuple):
    """Options of a world for self-training.

    Attributes:
        gold: Training images with boxes of the known pairs, and with captions and a box for every
            phrase.
        pool: Training images with captions alone.
        val: Number of images for the choice of settings.
        test: Number of images for reported results.
        side: Width and height in pixels.
        seed: Random seed; the same options and seed give identical files.
    """

    gold: int = 800
    pool: int = 8000
    val: int = 60
    test: int = 300
    side: int = 160
    seed: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of images of each split."""
        return dict(gold=self.gold, pool=self.pool, val=self.val, test=self.test)

    def manifest(self) -> dict:
        """Return the content of ``world.json``."""
        return dict(version=VERSION, kind='self_training', **self._asdict(),
                    new_words=[*NEW_COLOURS, *NEW_SHAPES, *NEW_PATTERNS, *NEW_RELATIONS])

    def look(self, split: str) -> Callable[[np.random.Generator], Look]:
        """Return the sampler of an object's look in a split."""
        if split != 'gold':
            return any_look(all_pairs())
        return any_look(known_pairs(), [p for p in PATTERNS if p not in NEW_PATTERNS])

    def caption(self, split: str, things: Sequence[Thing],
                rng: np.random.Generator) -> Caption | None:
        """Write a caption; only captions of the pool use new relations and are descriptive."""
        relations = [r for r in RELATIONS if split != 'gold' or not set(r) & set(NEW_RELATIONS)]
        return write_caption(things, rng, relations=relations, descriptive=split == 'pool')

    def draw(self, split: str, rng: np.random.Generator
             ) -> tuple[np.ndarray, list[Thing], list[Box], Caption | None]:
        """Draw an image; return it with its things, their boxes and a caption."""
        return draw_picture(self, split, rng)

    def annotate(self, folder: Path, split: str, pictures: list[Picture]) -> None:
        """Write the annotation files of a split."""
        if split == 'pool':
            write_captions(folder / 'pool.jsonl', pictures)
            return
        write_odvg_grounding(folder / f'{split}.jsonl', pictures)
        if split == 'gold':
            write_odvg_detection(folder / 'gold_detection.jsonl', folder / 'label_map.json',
                                 pictures, known_pairs())
        else:  # all 64 names compete in each view
            write_coco(folder / f'{split}_known.json', pictures, all_pairs(),
                       lambda pair: not is_new(pair))
            write_coco(folder / f'{split}_new.json', pictures, all_pairs(), is_new)
