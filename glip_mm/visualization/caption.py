"""Draw the caption under a picture: the words of each entity in the entity's colour."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from glip_mm.text import Entity, Prompt

from .fonts import load_font
from .palette import Color, readable_on

PAPER: Color = (250, 250, 249)
INK: Color = (63, 63, 70)
GREY: Color = (171, 171, 178)


class Piece(NamedTuple):
    """Characters of one entity (or none, -1) without a blank inside."""
    text: str
    entity: int
    #: A blank stands before this piece, so that a line may break here.
    blank: bool


def draw_caption(prompt: Prompt,
                 width: int,
                 colors: Sequence[Color],
                 found: Collection[int],
                 font_size: int = 16,
                 max_lines: int = 8,
                 font: str | None = None) -> np.ndarray:
    """Draw a caption on a strip of paper.

    The words of found entities stand on their colour, those of the others are grey. Of a long
    vocabulary that would need more than ``max_lines``, only the found names are written.

    Args:
        prompt: The prompt.
        width: Width of the strip in pixels.
        colors: RGB of each of the ``E`` entities.
        found: Labels that have a box in the picture.
        font_size: Height of the letters in pixels.
        max_lines: Maximum number of lines; the rest is cut.
        font: Path of a font file.

    Returns:
        ``[height, width, 3]`` uint8 RGB; the height follows from the words.
    """
    face = load_font(font_size, font)
    margin = max(4, font_size // 2)
    lines = _wrap(caption_pieces(prompt, found), face, width - 2 * margin, max_lines)
    if len(lines) > max_lines and prompt.pieces is not None:
        lines = _wrap(_found_pieces(prompt, found), face, width - 2 * margin, max_lines)
    if len(lines) > max_lines:
        lines = lines[:max_lines]
        lines[-1] = lines[-1][:-1] + [Piece('…', -1, True)]
    leading = round(font_size * 1.55)
    strip = Image.new('RGB', (width, leading * len(lines) + 2 * margin), PAPER)
    pen = ImageDraw.Draw(strip)
    for row, line in enumerate(lines):
        _draw_line(pen, line, margin, margin + row * leading, leading, face, colors, found)
    return np.asarray(strip)


def caption_pieces(prompt: Prompt, found: Collection[int] = ()) -> list[Piece]:
    """Cut a caption where a line may break or the entity changes.

    Args:
        prompt: The prompt.
        found: Entities that own the words where entities overlap; else the shortest does.

    Returns:
        Pieces in order.
    """
    owner = [-1] * len(prompt.caption)
    # the last to write wins
    order = sorted(range(len(prompt.entities)),
                   key=lambda label: (label in found, -_length(prompt.entities[label])))
    for label in order:
        for begin, end in prompt.entities[label].spans:
            owner[begin:end] = [label] * (end - begin)
    pieces: list[Piece] = []
    text, entity, blank = '', -1, False
    for character, label in zip(prompt.caption, owner):
        if text and (character.isspace() or label != entity):
            pieces.append(Piece(text, entity, blank))
            text, blank = '', False
        if character.isspace():
            blank = True
        else:
            text, entity = text + character, label
    return pieces + ([Piece(text, entity, blank)] if text else [])


def _found_pieces(prompt: Prompt, found: Collection[int]) -> list[Piece]:
    pieces = [
        Piece(word, label, True) for label in sorted(found)
        for word in prompt.entities[label].name.split()
    ]
    more = len(prompt.entities) - len(found)
    count = f'{more} other names' if found else f'none of {more} names'
    note = f'… {count} without a box' if found else f'{count} has a box'
    return pieces + [Piece(word, -1, True) for word in note.split()]


def _length(entity: Entity) -> int:
    return sum(end - begin for begin, end in entity.spans)


def _wrap(pieces: Sequence[Piece], face: ImageFont.FreeTypeFont, width: int, max_lines: int
          ) -> list[list[Piece]]:
    """Break pieces into lines; what has no blank in it stays together if it can.

    Gives up after one line too many: a vocabulary may have thousands of names.
    """
    groups: list[list[Piece]] = []
    for piece in pieces:
        if piece.blank or not groups:
            groups.append([])
        groups[-1].append(piece)
    lines: list[list[Piece]] = [[]]
    for group in groups:
        if lines[-1] and _line_length(lines[-1] + group, face) > width:
            lines.append([])
        if _line_length(group, face) > width:
            group = _break_group(group, face, width)
        for piece in group:
            if lines[-1] and _line_length([*lines[-1], piece], face) > width:
                lines.append([])
            lines[-1].append(piece)
        if len(lines) > max_lines:
            break
    return [line for line in lines if line]


def _line_length(line: Sequence[Piece], face: ImageFont.FreeTypeFont) -> float:
    return _positions(line, face)[-1][1]


def _positions(line: Sequence[Piece], face: ImageFont.FreeTypeFont) -> list[tuple[float, float]]:
    """Return begin and end of every piece of a line that starts at 0."""
    blank = face.getlength(' ') * 1.15
    x = 0.0
    result: list[tuple[float, float]] = []
    for index, piece in enumerate(line):
        if index:
            x += blank if piece.blank else 0
            # room for the ends of the coloured backgrounds
            x += blank / 2 if piece.entity != line[index - 1].entity else 0
        result.append((x, x + face.getlength(piece.text)))
        x = result[-1][1]
    return result


def _break_group(group: Sequence[Piece], face: ImageFont.FreeTypeFont,
                 width: int) -> list[Piece]:
    """Cut words wider than a line, as scripts without blanks need it."""
    result: list[Piece] = []
    for piece in group:
        text = ''
        for character in piece.text:
            if text and face.getlength(text + character) > width:
                result.append(Piece(text, piece.entity, piece.blank and not result))
                text = ''
            text += character
        result.append(Piece(text, piece.entity, piece.blank and not result))
    return result


def _draw_line(pen: ImageDraw.ImageDraw, line: Sequence[Piece], x: float, y: int, leading: int,
               face: ImageFont.FreeTypeFont, colors: Sequence[Color],
               found: Collection[int]) -> None:
    placed = [(piece, x + begin, x + end)
              for piece, (begin, end) in zip(line, _positions(line, face))]
    # backgrounds first: words of one entity that follow each other share one
    run = 0
    pad = max(2, leading // 9)
    while run < len(placed):
        label, stop = placed[run][0].entity, run + 1
        while stop < len(placed) and placed[stop][0].entity == label:
            stop += 1
        if label in found:
            box = (placed[run][1] - pad, y + 1, placed[stop - 1][2] + pad, y + leading - 2)
            pen.rounded_rectangle(box, radius=leading // 5, fill=colors[label])
        run = stop
    for piece, begin, _ in placed:
        ink = INK if piece.entity < 0 else GREY
        if piece.entity in found:
            ink = readable_on(colors[piece.entity])
        pen.text((begin, y + leading / 2), piece.text, fill=ink, font=face, anchor='lm')
