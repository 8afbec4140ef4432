"""The pictogram world: few names with boxes, more in captions, most in captions without boxes."""

import hashlib
import zlib
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from glip_mm.datasets.data_error import DataError
from glip_mm.datasets.grounding_world.annotations import (
    Picture,
    write_captions,
    write_coco,
    write_odvg_detection,
    write_odvg_grounding,
)
from glip_mm.datasets.grounding_world.captions import Caption
from glip_mm.datasets.grounding_world.drawing import Box
from glip_mm.image_suffixes import FolderImages

from .captions import write_caption
from .drawing import draw_scene
from .scene import Thing, sample_scene
from .vocabulary import INDEX, PARTS, Kind, Vocabulary, read_vocabulary
from .words import HYPERNYMS

VERSION = 2  # increment when the same options produce different files
#: Split -> the parts of the vocabulary that it shows.
SHOWN = dict(gold_detection=PARTS[:1], gold_captions=PARTS[:2], pool=PARTS[:3])
#: Share of each part among the things of test images.
SHARES = dict(named=.35, captioned=.2, pool=.2, compounds=.125, unnamed=.125)


@lru_cache(maxsize=2)
def list_photos(folder: str) -> tuple[str, ...]:
    """List the photos of a folder and its subfolders.

    Raises:
        DataError: If there are none.
    """
    if not folder:
        return ()
    photos = FolderImages(folder, recursive=True).files
    if not photos:
        raise DataError(f"--photos '{folder}' holds no images, nor do folders in it (links to "
                        'folders are not followed)')
    return tuple(map(str, photos))


def _is_test_photo(path: str) -> bool:
    return zlib.crc32(Path(path).name.encode()) % 5 == 0


class PictogramOptions(NamedTuple):
    """Options of a world of pictograms.

    Attributes:
        pictograms: Folder that ``python -m dev.pictograms`` made.
        photos: Folder of photos for backgrounds; empty: textures alone.
        gold_detection: Training images with boxes of the named things.
        gold_captions: Training images with captions, and boxes for every phrase, that name twice as
            many things more.
        pool: Training images with captions alone, which name nearly all things.
        val: Number of images for the choice of settings, in the styles of the training.
        test: Number of images for reported results, in the styles of the training and again in
            the style of the last family.
        side: Width and height in pixels.
        seed: Random seed; the same options, pictograms, photos and seed give identical files.
    """

    pictograms: str
    photos: str = ''
    gold_detection: int = 3000
    gold_captions: int = 600
    pool: int = 6000
    val: int = 100
    test: int = 200
    side: int = 224
    seed: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of images of each split."""
        return dict(gold_detection=self.gold_detection, gold_captions=self.gold_captions,
                    pool=self.pool, val=self.val, test=self.test, test_style=self.test)

    @property
    def vocabulary(self) -> Vocabulary:
        """Return the things and families of the folder of pictograms."""
        return read_vocabulary(self.pictograms)

    def manifest(self) -> dict:
        """Return the content of ``world.json``; folders may move, their content may not change."""
        vocabulary, options = self.vocabulary, self._asdict()
        if empty := [part for part in PARTS if not vocabulary.of(part)]:
            raise DataError(f"'{self.pictograms}' has {len(vocabulary.kinds)} things, too few for "
                            f"{', '.join(empty)}: make it of whole families of drawings")
        index = (Path(options.pop('pictograms')) / INDEX).read_bytes()
        photos = list_photos(options.pop('photos'))
        sizes = ''.join(f'{Path(p).name} {Path(p).stat().st_size}\n' for p in photos)
        return dict(version=VERSION, kind='pictograms', **options,
                    pictograms=hashlib.sha256(index).hexdigest()[:16], photos=len(photos),
                    photo_names=hashlib.sha256(sizes.encode()).hexdigest()[:16],
                    families=list(vocabulary.families),
                    names={part: [kind.name for kind in vocabulary.of(part)]
                           for part in PARTS})

    def draw(self, split: str, rng: np.random.Generator
             ) -> tuple[np.ndarray, list[Thing], list[Box], Caption | None]:
        """Draw an image; return it with its things, their boxes and a caption."""
        *styles, new_style = self.vocabulary.families
        testing = split not in SHOWN
        kinds = self.vocabulary.of(*SHOWN.get(split, PARTS))
        photos = [p for p in list_photos(self.photos) if _is_test_photo(p) is testing]
        things = sample_scene(rng, self._sampler(kinds, testing), kinds,
                              [new_style] if split == 'test_style' else styles, self.side)
        image, things, boxes = draw_scene(things, self.pictograms, photos, self.side, rng)
        caption = None if split == 'gold_detection' else write_caption(
            things, rng, 3 if testing else 5, .1 if split == 'pool' else 0.)
        return image, things, boxes, caption

    @staticmethod
    def _sampler(kinds: list[Kind], testing: bool) -> Callable[[np.random.Generator], Kind]:
        """Make a sampler of what a thing is: all equally likely, in tests within each part."""
        if not testing:
            return lambda rng: kinds[int(rng.integers(len(kinds)))]
        counts = {part: sum(kind.part == part for kind in kinds) for part in PARTS}
        weights = np.array([SHARES[kind.part] / counts[kind.part] for kind in kinds])
        bounds = np.cumsum(weights / weights.sum())
        return lambda rng: kinds[min(int(np.searchsorted(bounds, rng.random())), len(kinds) - 1)]

    def annotate(self, folder: Path, split: str, pictures: list[Picture]) -> None:
        """Write the annotation files of a split.

        The pool has its boxes in a file of their own, ``pool_truth.jsonl``, which no training
        reads: they tell which labels of a teacher are right. Test splits have a view for each part
        of the vocabulary, in all of which all names compete; ``synonyms``, the named things by
        words that no training text has; ``few``, the same things by their names; ``hypernyms`` and
        ``spoken_hypernyms``, words that no training text has, and words that captions use.
        """
        vocabulary = self.vocabulary
        if split == 'pool':
            write_captions(folder / 'pool.jsonl', pictures)
            write_odvg_grounding(folder / 'pool_truth.jsonl', pictures)
        elif split == 'gold_detection':
            write_odvg_detection(folder / f'{split}.jsonl', folder / 'label_map.json', pictures,
                                 vocabulary.of('named'))
        elif split == 'gold_captions':
            write_odvg_grounding(folder / f'{split}.jsonl', pictures)
        else:
            for part in PARTS:
                write_coco(folder / f'{split}_{part}.json', pictures, vocabulary.kinds,
                           partial(_is_of, part))
            named = vocabulary.of('named')
            write_coco(folder / f'{split}_few.json', pictures, named)
            write_coco(folder / f'{split}_synonyms.json', pictures, named,
                       lambda kind: bool(kind.unspoken_synonyms),
                       lambda kind: (*kind.unspoken_synonyms, kind.name)[0])
            for view, spoken in (('hypernyms', False), ('spoken_hypernyms', True)):
                write_coco(folder / f'{split}_{view}.json', pictures, list(HYPERNYMS),
                           partial(_is_spoken, spoken),
                           str, lambda thing: thing.kind.hypernyms)
            write_odvg_grounding(folder / f'{split}_phrases.jsonl', pictures)


def _is_of(part: str, kind: Kind) -> bool:
    return kind.part == part


def _is_spoken(wanted: bool, word: str) -> bool:
    return HYPERNYMS[word].spoken is wanted
