"""Several sentences per image, in the files of Flickr30k Entities."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

import numpy as np

from .captions import Caption, Phrase, write_caption
from .scene import Thing

SENTENCES = 5
_PICTURE = 'a picture'


def write_sentences(things: Sequence[Thing], rng: np.random.Generator) -> list[Caption]:
    """Write up to five different captions of a scene."""
    found: dict[str, Caption] = {}
    for _ in range(2 * SENTENCES):
        caption = write_caption(things, rng)
        if caption is not None and len(found) < SENTENCES:
            found.setdefault(caption.text, caption)
    return list(found.values())


def phrase_types(phrase: Phrase) -> tuple[str, ...]:
    """Return the types of a phrase: shapes or any objects, and whether it is a group."""
    kind = 'objects' if phrase.words.split()[-1].startswith('object') else 'shapes'
    return (kind, 'groups') if len(phrase.things) > 1 else (kind, )


def entities_files(captions: Sequence[Caption], boxes: Sequence[tuple[int, int, int, int]],
                   file_name: str, side: int) -> tuple[str, str]:
    """Build the sentence file and the annotation file of an image.

    Phrases of the same objects share their number in all sentences. The words "a picture" are a
    scene: a phrase without boxes.

    Args:
        captions: Sentences of the image.
        boxes: Boxes of the objects, half-open xyxy.
        file_name: File name of the image.
        side: Width and height in pixels.

    Returns:
        Content of ``Sentences/ID.txt`` and of ``Annotations/ID.xml``.
    """
    numbers: dict[tuple[int, ...], int] = {(): 0}
    lines = []
    for caption in captions:
        marked, end = '', 0
        if caption.text.startswith(_PICTURE):
            marked, end = f'[/EN#0/scene {_PICTURE}]', len(_PICTURE)
        for phrase, (begin, stop) in zip(caption.phrases, caption.spans):
            number = numbers.setdefault(phrase.things, len(numbers))
            marked += caption.text[end:begin]
            marked += f"[/EN#{number}/{'/'.join(phrase_types(phrase))} {phrase.words}]"
            end = stop
        lines.append(marked + caption.text[end:])
    xml = [f'<annotation><filename>{escape(file_name)}</filename><size><width>{side}</width>'
           f'<height>{side}</height><depth>3</depth></size>',
           '<object><name>0</name><scene>1</scene><nobndbox>1</nobndbox></object>']
    for things, number in numbers.items():
        for i in things:
            x1, y1, x2, y2 = (edge + 1 for edge in boxes[i])  # these files count from 1
            xml.append(f'<object><name>{number}</name><bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin>'
                       f'<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>')
    return '\n'.join(lines) + '\n', '\n'.join([*xml, '</annotation>']) + '\n'
