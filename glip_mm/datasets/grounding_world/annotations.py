"""Annotation files of the generated world: COCO JSON and ODVG JSON lines, as for real data."""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from glip_mm.atomic_files import write_atomically

from .captions import Caption
from .drawing import Box
from .entities import entities_files, write_sentences
from .long_tail import lvis_annotations
from .vocabulary import Pair, all_pairs


class Picture(NamedTuple):
    """An image and its content. ``boxes[i]`` belongs to ``things[i]``."""

    file_name: str
    side: int
    things: tuple[Any, ...]
    boxes: tuple[Box, ...]
    caption: Caption | None


def _dump(path: Path, content: object) -> None:
    write_atomically(path, (json.dumps(content) + '\n').encode())


def _dump_lines(path: Path, rows: Iterable[dict]) -> None:
    write_atomically(path, ''.join(json.dumps(row) + '\n' for row in rows).encode())


def write_coco(path: Path, pictures: Sequence[Picture], classes: Sequence[Any],
               annotate: Callable[[Any], bool] = lambda kind: True,
               rename: Callable[[Any], str] = lambda kind: kind.name,
               classes_of: Callable[[Any], Iterable[Any]] = lambda thing: (thing.kind, )) -> None:
    """Write detection annotations as COCO JSON.

    Args:
        path: File to write.
        pictures: Images, all of which are listed.
        classes: Categories, all of which are listed, also those without a box.
        annotate: Function that tells whether a class's boxes are written. A category without a box
            has no AP and is left out of the mean, while its name still competes in the prompt.
        rename: Function from a class to the name of its category.
        classes_of: Function from a thing to its classes, which may be several.
    """
    ids = {kind: i for i, kind in enumerate(classes, 1)}
    images: list[dict] = []
    annotations: list[dict] = []
    for image_id, picture in enumerate(pictures, 1):
        images.append(dict(id=image_id, file_name=picture.file_name, width=picture.side,
                           height=picture.side))
        for thing, (x1, y1, x2, y2) in zip(picture.things, picture.boxes):
            for kind in classes_of(thing):
                if kind in ids and annotate(kind):
                    w, h = x2 - x1, y2 - y1
                    annotations.append(dict(
                        id=len(annotations) + 1, image_id=image_id, category_id=ids[kind],
                        bbox=[x1, y1, w, h], area=w * h, iscrowd=0))
    categories = [dict(id=i, name=rename(kind)) for kind, i in ids.items()]
    _dump(path, dict(images=images, annotations=annotations, categories=categories))


def write_odvg_detection(path: Path, label_map_path: Path, pictures: Sequence[Picture],
                         classes: Sequence[Any]) -> None:
    """Write detection annotations as ODVG JSON lines with their label map.

    Args:
        path: JSON lines file to write.
        label_map_path: Label map to write, ``{"0": name}``.
        pictures: Images.
        classes: All classes, in label order.
    """
    labels = {kind: i for i, kind in enumerate(classes)}
    _dump(label_map_path, {str(i): kind.name for kind, i in labels.items()})
    _dump_lines(path, (dict(
        filename=picture.file_name, height=picture.side, width=picture.side,
        detection=dict(instances=[
            dict(bbox=list(box), label=labels[thing.kind], category=thing.kind.name)
            for thing, box in zip(picture.things, picture.boxes)])) for picture in pictures))


def _regions(picture: Picture) -> list[dict[str, object]]:
    caption = picture.caption
    assert caption is not None
    return [dict(bbox=[list(picture.boxes[i]) for i in phrase.things], phrase=phrase.words,
                 tokens_positive=[list(span)])
            for phrase, span in zip(caption.phrases, caption.spans)]


def write_odvg_grounding(path: Path, pictures: Sequence[Picture]) -> None:
    """Write captions with phrases, spans and boxes as ODVG JSON lines.

    Args:
        path: JSON lines file to write.
        pictures: Images; those without a caption are left out.
    """
    _dump_lines(path, (dict(
        filename=picture.file_name, height=picture.side, width=picture.side,
        grounding=dict(caption=picture.caption.text, regions=_regions(picture)))
        for picture in pictures if picture.caption is not None))


def write_captions(path: Path, pictures: Sequence[Picture]) -> None:
    """Write file names and captions as JSON lines: all that is known of a web image."""
    _dump_lines(path, (dict(filename=picture.file_name, caption=picture.caption.text)
                       for picture in pictures if picture.caption is not None))


def write_evaluation(folder: Path, split: str, pictures: Sequence[Picture],
                     is_held_out: Callable[[Pair], bool]) -> None:
    """Write the four views of an evaluation split: seen, unseen, synonyms, phrases.

    All views list the same images and the three detection views all 64 categories, so a prompt
    made of their names lets seen and unseen pairs compete. ``seen`` and ``unseen`` hold the boxes
    of their pairs only. ``synonyms`` holds the boxes of the seen pairs whose name changes under
    :data:`~.vocabulary.SYNONYMS`, with all category names so changed. The captions of ``phrases``
    name seen and unseen pairs.
    """
    classes = all_pairs()
    write_coco(folder / f'{split}_seen.json', pictures, classes, lambda p: not is_held_out(p))
    write_coco(folder / f'{split}_unseen.json', pictures, classes, is_held_out)
    write_coco(folder / f'{split}_synonyms.json', pictures, classes,
               lambda p: not is_held_out(p) and p.synonym != p.name, lambda p: p.synonym)
    write_odvg_grounding(folder / f'{split}_phrases.jsonl', pictures)


def write_lvis(path: Path, pictures: Sequence[Picture], seed: int) -> None:
    """Write the 512 categories of :mod:`.long_tail` as LVIS JSON."""
    _dump(path, lvis_annotations(
        [p.file_name for p in pictures], pictures[0].side if pictures else 0,
        [p.things for p in pictures], [p.boxes for p in pictures], seed))


def write_entities(folder: Path, split: str, pictures: Sequence[Picture], seed: int) -> None:
    """Write up to five sentences per image in the files of Flickr30k Entities.

    ``{split}.txt`` lists the images, ``Sentences/*.txt`` and ``Annotations/*.xml`` describe them.
    """
    names = []
    for index, picture in enumerate(pictures):
        rng = np.random.default_rng([seed, index])
        name = Path(picture.file_name).stem
        texts = entities_files(write_sentences(picture.things, rng), picture.boxes,
                               Path(picture.file_name).name, picture.side)
        for kind, suffix, text in zip(('Sentences', 'Annotations'), ('txt', 'xml'), texts):
            write_atomically(folder / kind / f'{name}.{suffix}', text.encode(), durable=False)
        names.append(name)
    write_atomically(folder / f'{split}.txt', '\n'.join([*names, '']).encode())
