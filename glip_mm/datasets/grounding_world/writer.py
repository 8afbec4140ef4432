"""Generation of the grounding world's files."""

import io
import json
import os
import sys
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from PIL import Image
from tqdm import tqdm

from glip_mm.atomic_files import write_atomically
from glip_mm.datasets.data_error import read_json

from .annotations import (
    Picture,
    write_coco,
    write_entities,
    write_evaluation,
    write_lvis,
    write_odvg_detection,
    write_odvg_grounding,
)
from .captions import Caption, write_caption
from .drawing import Box, draw_picture
from .long_tail import draw_test_look
from .scene import Look, Thing, any_look
from .vocabulary import SYNONYMS, all_pairs, held_out_pairs, is_held_out, seen_pairs

VERSION = 1  # increment when the same options produce different files
TRAINING_SPLITS = ('train_detection', 'train_grounding')
MANIFEST = 'world.json'


class WorldOptions(NamedTuple):
    """Options of a world.

    Attributes:
        detection: Number of training images with class boxes.
        grounding: Number of training images with captions.
        val: Number of images for the choice of settings.
        test: Number of images for reported results.
        long_tail: Number of images with 512 categories, annotated as in LVIS.
        side: Width and height in pixels.
        seed: Random seed; the same options and seed give identical files.
    """

    detection: int = 3000
    grounding: int = 3000
    val: int = 60
    test: int = 300
    long_tail: int = 300
    side: int = 160
    seed: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of images of each split."""
        return dict(train_detection=self.detection, train_grounding=self.grounding, val=self.val,
                    test=self.test, long_tail=self.long_tail)

    def manifest(self) -> dict:
        """Return the content of ``world.json``."""
        return dict(version=VERSION, **self._asdict(),
                    held_out_pairs=[pair.name for pair in held_out_pairs()],
                    held_out_synonyms=SYNONYMS)

    def look(self, split: str) -> Callable[[np.random.Generator], Look]:
        """Return the sampler of an object's look in a split."""
        if split == 'long_tail':
            return draw_test_look
        return any_look(seen_pairs() if split in TRAINING_SPLITS else all_pairs())

    def caption(self, split: str, things: Sequence[Thing],
                rng: np.random.Generator) -> Caption | None:
        """Write a caption, in splits that have captions."""
        return None if split in ('train_detection', 'long_tail') else write_caption(things, rng)

    def draw(self, split: str, rng: np.random.Generator
             ) -> tuple[np.ndarray, list[Thing], list[Box], Caption | None]:
        """Draw an image; return it with its things, their boxes and a caption."""
        return draw_picture(self, split, rng)

    def annotate(self, folder: Path, split: str, pictures: list[Picture]) -> None:
        """Write the annotation files of a split."""
        if split == 'train_detection':
            write_coco(folder / f'{split}.json', pictures, seen_pairs())
            write_odvg_detection(folder / f'{split}.jsonl', folder / 'label_map.json', pictures,
                                 seen_pairs())
        elif split == 'train_grounding':
            write_odvg_grounding(folder / f'{split}.jsonl', pictures)
        elif split == 'long_tail':
            write_lvis(folder / f'{split}.json', pictures, self.seed)
        else:
            write_evaluation(folder, split, pictures, is_held_out)
        if split == 'test':
            write_entities(folder / 'entities', split, pictures, self.seed)


class Options(Protocol):
    """Options of any kind of world, see :class:`WorldOptions`."""

    @property
    def seed(self) -> int:
        """Return the random seed."""

    @property
    def side(self) -> int:
        """Return the width and height of the images in pixels."""

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of images of each split."""

    def manifest(self) -> dict:
        """Return the content of ``world.json``."""

    def draw(self, split: str, rng: np.random.Generator
             ) -> tuple[np.ndarray, Sequence[Any], list[Box], Caption | None]:
        """Draw an image; return it with its things, their boxes and a caption."""

    def annotate(self, folder: Path, split: str, pictures: list[Picture]) -> None:
        """Write the annotation files of a split."""


def _make_picture(index: int, split: str, root: str, options: Options) -> Picture:
    """Make image ``index`` of a split; an existing image file is kept."""
    rng = np.random.default_rng([options.seed, zlib.crc32(split.encode()), index])
    image, things, boxes, caption = options.draw(split, rng)
    file_name = f'{split}/{index:06d}.jpg'
    path = Path(root) / 'images' / file_name
    if not path.exists():
        data = io.BytesIO()
        Image.fromarray(image).save(data, format='JPEG', quality=92)
        write_atomically(path, data.getvalue(), durable=False)
    return Picture(file_name, options.side, tuple(things), tuple(boxes), caption)


def _is_complete(root: Path, options: Options) -> bool:
    """Return whether the finished world exists.

    Raises:
        ValueError: If the folder holds a world made with other options.
    """
    wanted = options.manifest()
    for name, finished in ((MANIFEST, True), (f'{MANIFEST}.part', False)):
        path = root / name
        if path.exists():
            found = read_json(path)
            if found != wanted:
                differ = sorted(k for k in wanted if found.get(k) != wanted[k])
                raise ValueError(
                    f"'{root}' holds a world made with other options (differing: {differ}): "
                    'choose another folder with --out, or delete this one')
            return finished
    return False


def write_world(root: str, options: Options | None = None, workers: int = 0) -> bool:
    """Write a world, or complete an interrupted one.

    Layout: ``images/{split}/*.jpg``, ``annotations/*.json[l]`` and, written last,
    ``world.json``.

    Args:
        root: Folder of the world.
        options: Options of the world; default: the quickstart's.
        workers: Number of processes; 0 for one per core. The result does not depend on it.

    Returns:
        False if the world existed already.

    Raises:
        ValueError: If the folder holds a world made with other options.
    """
    options = options or WorldOptions()
    folder = Path(root)
    if _is_complete(folder, options):
        return False
    manifest = (json.dumps(options.manifest(), indent=2) + '\n').encode()
    write_atomically(folder / f'{MANIFEST}.part', manifest)
    workers = workers or os.cpu_count() or 1
    with ProcessPoolExecutor(workers) as pool:
        for split, count in options.counts.items():
            make = partial(_make_picture, split=split, root=str(root), options=options)
            jobs = pool.map(make, range(count), chunksize=16) if workers > 1 else map(
                make, range(count))
            # a file gets the start and the end of a bar, and no hundred states
            pictures = list(tqdm(jobs, total=count, desc=f'drawing {split}', unit='img',
                                 mininterval=0.5 if sys.stderr.isatty() else 60))
            options.annotate(folder / 'annotations', split, pictures)
    (folder / f'{MANIFEST}.part').replace(folder / MANIFEST)
    return True
