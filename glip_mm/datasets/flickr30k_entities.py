"""Sentences, phrases and boxes of the Flickr30k Entities release.

Format: github.com/BryanPlummer/flickr30k_entities. ``Sentences/ID.txt`` has one sentence a line,
with phrases marked ``[/EN#17/people/other Two boys]``: the number names a thing in the image, what
follows it are types. ``Annotations/ID.xml`` gives the boxes of things.
"""

import re
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from .data_error import DataError, read_text

_PHRASE = re.compile(r'\[/EN#(\d+)((?:/[^\s/\]]+)+)\s+([^\]]*)\]')


class Phrase(NamedTuple):
    """A phrase that mentions a thing."""

    words: str
    #: ``[begin, end)`` characters of the sentence.
    span: tuple[int, int]
    #: Types such as ``('people',)``; seldom more than one.
    types: tuple[str, ...]
    #: Id of the thing; several phrases may mention the same one.
    thing: str


class ImageBoxes(NamedTuple):
    """Boxes in an annotation file."""

    width: int
    height: int
    #: Thing -> boxes, xyxy from 0. Things without a box (scenes, things not seen) are left out.
    boxes: dict[str, list[list[float]]]


def parse_sentence(line: str) -> tuple[str, list[Phrase]]:
    """Parse a sentence into plain text with single blanks and its phrases.

    Args:
        line: Line of a file in ``Sentences``.

    Example:
        >>> parse_sentence('[/EN#1/people A man] runs .')
        ('A man runs .', [Phrase(words='A man', span=(0, 5), types=('people',), thing='1')])
    """
    words: list[str] = []
    phrases: list[Phrase] = []
    position = 0

    def length() -> int:
        return sum(map(len, words)) + len(words)

    for mark in _PHRASE.finditer(line):
        words += line[position:mark.start()].split()
        inside = mark.group(3).split()
        if inside:
            begin = length()
            words += inside
            phrases.append(Phrase(' '.join(inside), (begin, length() - 1),
                                  tuple(mark.group(2).strip('/').split('/')), mark.group(1)))
        position = mark.end()
    words += line[position:].split()
    return ' '.join(words), phrases


def read_sentences(path: Path) -> list[tuple[str, list[Phrase]]]:
    """Read all sentences of an image; a sentence's number is its index in the list.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    try:
        lines = read_text(path).splitlines()
    except FileNotFoundError:
        raise _missing(path) from None
    return [parse_sentence(line) for line in lines]


def read_boxes(path: Path) -> ImageBoxes:
    """Read the boxes of an image.

    The files count pixels from 1; like the release's own reader this subtracts 1 from all corners.

    Raises:
        FileNotFoundError: If there is no such file.
        DataError: If it is not XML of this format.
    """
    try:
        root = ElementTree.parse(path).getroot()
        width, height = (int(root.findtext(f'size/{key}', '')) for key in ('width', 'height'))
        boxes: dict[str, list[list[float]]] = {}
        for thing in root.iter('object'):
            corners = thing.find('bndbox')
            if corners is None:
                continue
            box = [float(corners.findtext(key, '')) - 1
                   for key in ('xmin', 'ymin', 'xmax', 'ymax')]
            for name in thing.findall('name'):
                boxes.setdefault(str(name.text).strip(), []).append(box)
    except FileNotFoundError:
        raise _missing(path) from None
    except (ElementTree.ParseError, ValueError) as error:
        raise DataError(f"'{path}' is no annotation of Flickr30k Entities ({error}): unpack "
                         'annotations.zip again') from error
    return ImageBoxes(width, height, boxes)


def _missing(path: Path) -> FileNotFoundError:
    return FileNotFoundError(
        f"'{path}' is missing: the folder must hold Sentences, Annotations and val.txt or "
        'test.txt of Flickr30k Entities (annotations.zip unpacked); see docs/evaluation.md')
