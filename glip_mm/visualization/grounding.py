"""Draw grounding results: each box in the colour of its words."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from glip_mm.text import Prompt

from .caption import GREY, PAPER, draw_caption
from .fonts import load_font
from .palette import Color, entity_colors
from .tags import TakenPlaces, draw_tag, place_tag, tag_size

#: Share of a picture that its tags may hide before they get smaller.
MOST_HIDDEN = 0.2
#: Size of the font in pixels down to which they do.
SMALLEST = 9


def draw_grounding(image: np.ndarray,
                   result: Any,
                   prompt: Prompt | None = None,
                   score_thr: float = 0.3,
                   palette: str | Sequence[Color] | None = None,
                   caption: bool = True,
                   title: str = '',
                   font: str | None = None,
                   min_width: int = 320,
                   ignored: Sequence[Sequence[float]] = ()) -> np.ndarray:
    """Draw boxes into a picture and the caption under it.

    Args:
        image: ``[height, width, 3]`` RGB.
        result: Anything with ``boxes`` ``[K, 4]`` (pixels, x1 y1 x2 y2), ``labels`` ``[K]``,
            ``names`` and ``scores`` ``[K]`` or ``None`` (ground truth), and perhaps ``masks``
            ``[K, height, width]`` bool, e.g. :class:`glip_mm.apis.GroundingResult`.
        prompt: Prompt that the labels point at; default: ``result.prompt``. Without one there is
            no caption.
        score_thr: Score below which boxes are not drawn.
        palette: Colours of the entities, see :func:`entity_colors`.
        caption: Whether to put the caption under the picture.
        title: Small line between picture and caption.
        font: Path of a font file, for scripts that DejaVu Sans lacks.
        min_width: Width up to which an image is enlarged by a whole factor, so that words fit.
        ignored: Boxes ``[M, 4]`` that stand for nothing (crowds), drawn in grey and without a name.

    Returns:
        A new ``[height + caption, width, 3]`` uint8 RGB array.

    Raises:
        ValueError: If the image is not ``[height, width, 3]``, or a label lies outside the
            prompt.

    Example:
        >>> import numpy as np
        >>> from types import SimpleNamespace
        >>> result = SimpleNamespace(boxes=[[8, 8, 60, 40]], labels=[0], scores=[.9], names=['cat'])
        >>> draw_grounding(np.zeros((480, 640, 3), np.uint8), result).shape
        (480, 640, 3)
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f'image must be RGB of shape [height, width, 3], got {image.shape}')
    prompt = prompt if prompt is not None else getattr(result, 'prompt', None)
    labels = np.asarray(result.labels, dtype=int).reshape(-1)
    total = len(prompt.entities) if prompt is not None else int(max(labels, default=-1)) + 1
    if len(labels) and not 0 <= labels.min() <= labels.max() < total:
        raise ValueError(f'labels {sorted(set(labels.tolist()))} do not fit the prompt of {total} '
                         'entities; draw a result with the prompt it was made with')
    scores = getattr(result, 'scores', None)
    keep: Sequence[int] = range(len(labels))
    if scores is not None:
        scores = np.asarray(scores, dtype=float).reshape(-1)
        keep = [index for index in keep if scores[index] >= score_thr]
    found = {int(labels[index]) for index in keep}
    colors = entity_colors(total, found, palette)
    pixels = image.clip(0, 255).astype(np.uint8)
    masks = getattr(result, 'masks', None)
    if masks is not None:
        for index in keep:
            _tint(pixels, masks[index], colors[labels[index]])
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    factor = -(-min_width // picture.width)
    if factor > 1:
        picture = picture.resize((picture.width * factor, picture.height * factor),
                                 Image.Resampling.BICUBIC)
    font_size = _font_size(picture)
    boxes = np.asarray(result.boxes, dtype=float).reshape(-1, 4) * max(factor, 1)
    names = list(result.names)
    for box in np.asarray(ignored, dtype=float).reshape(-1, 4) * max(factor, 1):
        _draw_box(picture, box, GREY)
    order = sorted(keep, key=lambda index: -scores[index]) if scores is not None else list(keep)
    for index in reversed(order):
        _draw_box(picture, boxes[index], colors[labels[index]])
    taken = TakenPlaces(picture.size)
    texts = {index: _tag_text(names[index], None if scores is None else scores[index],
                              picture.width // font_size) for index in order}
    tag_font = _tag_font(list(texts.values()), picture, font_size, font)
    for index, text in texts.items():
        size = tag_size(text, tag_font, font)
        place = place_tag(tuple(boxes[index]), size, picture.size, taken)
        taken.add(place)
        draw_tag(picture, place, text, colors[labels[index]], tag_font, font)
    strips = [np.asarray(picture)]
    if title:
        strips.append(_draw_title(title, picture.width, font_size, font))
    if caption and prompt is not None:
        strips.append(draw_caption(prompt, picture.width, colors, found, font_size + 2, font=font))
    return np.concatenate(strips)


def _tint(pixels: np.ndarray, mask: np.ndarray, color: Color) -> None:
    pixels[mask] = (pixels[mask] * 0.55 + np.array(color) * 0.45).astype(np.uint8)


def _font_size(picture: Image.Image) -> int:
    # grows slower than the picture: 11 px from 250 px on, 15 at 640, 22 at 1333
    return int(min(max((picture.width * picture.height)**0.5 / 60 + 4, 11), 40))


def _tag_font(texts: Sequence[str], picture: Image.Image, font_size: int, font: str | None) -> int:
    """Return a smaller font where many tags would hide the picture."""
    area = sum(width * height for width, height in (
        tag_size(text, font_size, font) for text in texts))
    room = MOST_HIDDEN * picture.width * picture.height
    return font_size if area <= room else min(font_size, max(
        SMALLEST, int(font_size * (room / area)**0.5)))


def _draw_box(picture: Image.Image, box: np.ndarray, color: Color) -> None:
    # a dark and a light hairline around the colour: visible on any background
    pen = ImageDraw.Draw(picture, 'RGBA')
    thick = max(2, round((picture.width * picture.height)**0.5 / 260))
    right, bottom = picture.width - 1, picture.height - 1
    # boxes are half open, the last pixel inside is x2 - 1
    x1, y1 = min(max(box[0], 0), right), min(max(box[1], 0), bottom)
    x2, y2 = min(max(box[2] - 1, x1), right), min(max(box[3] - 1, y1), bottom)
    pen.rectangle((x1 - 1, y1 - 1, x2 + 1, y2 + 1), outline=(0, 0, 0, 110))
    inner = (x1 + thick, y1 + thick, x2 - thick, y2 - thick)
    if inner[0] < inner[2] and inner[1] < inner[3]:
        pen.rectangle(inner, outline=(255, 255, 255, 130))
    pen.rectangle((x1, y1, x2, y2), outline=(*color, 255), width=thick)


def _tag_text(name: str, score: float | None, letters: int) -> str:
    name = ' '.join(name.split())
    letters = max(4, min(letters, 28))
    if len(name) > letters:
        name = name[:letters - 1].rstrip() + '…'
    return name if score is None else f'{name} {score:.2f}'


def _draw_title(title: str, width: int, font_size: int, font: str | None) -> np.ndarray:
    strip = Image.new('RGB', (width, round(font_size * 1.6)), PAPER)
    ImageDraw.Draw(strip).text((max(4, font_size // 2), strip.height * 0.6), title, fill=GREY,
                               font=load_font(font_size, font, bold=font is None), anchor='lm')
    return np.asarray(strip)
