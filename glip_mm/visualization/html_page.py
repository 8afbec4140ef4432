"""Write a self-contained HTML page of pictures with their captions."""

import base64
import contextlib
import io
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from PIL import Image

from glip_mm.atomic_files import replacing
from glip_mm.text import Prompt

from .caption import caption_pieces
from .dataset_sample import DatasetSample
from .pages import render, render_macro
from .palette import Color, entity_colors

#: A vocabulary with more names than this is folded to those that have a box.
MAX_NAMES = 40

#: Where pictures go; no escaped text holds it.
_PICTURES = Markup('<!-- pictures -->')


class HtmlPage:
    """Write a page picture by picture; the file appears when it is complete.

    Args:
        path: File of the page.
        title: Heading.
        note: Sentence under the heading.

    Example:
        >>> with HtmlPage('page.html', 'train', '2 samples') as page:  # doctest: +SKIP
        ...     page.add(sample, 'sample 0')
    """

    def __init__(self, path: str | Path, title: str, note: str = '') -> None:
        self.path = Path(path)
        self._stack = contextlib.ExitStack()
        self._file = self._stack.enter_context(replacing(self.path))
        head, self._tail = render('samples.html', title=title, note=note, pictures=_PICTURES
                                  ).split(_PICTURES)
        self._write(head)

    def add(self, sample: DatasetSample, title: str, max_side: int = 800) -> None:
        """Add a sample.

        Args:
            sample: Sample to draw.
            title: Name of the sample.
            max_side: Longest side in pixels; a larger image is made smaller.
        """
        note = ' · '.join(filter(None, [title, Path(sample.path).name, sample.where]))
        self._write(render_macro('pictures.html', 'figure', picture_of(sample, title, max_side),
                                 note, boxes=boxes_of(sample)))

    def add_error(self, title: str, message: str) -> None:
        """Add a sample that could not be read."""
        self._write(render_macro('pictures.html', 'error', title, message))

    def _write(self, text: str) -> None:
        self._file.write(text.encode('utf-8'))

    def __enter__(self) -> 'HtmlPage':
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        with contextlib.ExitStack() as stack:
            # also if the tail can not be written
            stack.push(self._stack)
            if error is not None:
                raise error
            self._write(self._tail)


class Run(NamedTuple):
    """Words of a caption that look alike.

    Attributes:
        text: The words.
        entity: Entity that owns them, -1 for none.
        color: Background of words that have a box, else None.
        blank: Whether a blank stands before them.
    """

    text: str
    entity: int
    color: Color | None
    blank: bool


class Folded(NamedTuple):
    """The short form of a long vocabulary.

    Attributes:
        names: Names that have a box.
        rest: Number of the others.
    """

    names: list[Run]
    rest: int


class Caption(NamedTuple):
    """A caption as the template shows it; ``folded`` is None for a short one."""

    runs: list[Run]
    folded: Folded | None = None


class HtmlPicture(NamedTuple):
    """A picture as the template shows it; ``address`` holds the picture itself."""

    title: str
    width: int
    height: int
    address: str
    caption: Caption


class Boxes(NamedTuple):
    """Boxes as the template lists them: a summary, and name, corners and score of each."""

    head: str
    rows: list[list[str]]


def picture_of(sample: DatasetSample, title: str, max_side: int = 800) -> HtmlPicture:
    """Draw a sample for a page.

    Args:
        sample: Sample to draw.
        title: Text that stands for the picture where it is not seen.
        max_side: Longest side in pixels; a larger image is made smaller.
    """
    picture = sample.draw(caption=False, max_side=max_side)
    height, width = picture.shape[:2]
    return HtmlPicture(title, width, height, _data_address(picture), caption_of(sample))


def caption_html(sample: DatasetSample) -> Markup:
    """Render the caption of a sample: words in the colour of their boxes, others grey.

    Args:
        sample: Sample to draw.

    Returns:
        HTML; empty without a prompt.
    """
    return render_macro('pictures.html', 'caption', caption_of(sample)).strip()


def caption_of(sample: DatasetSample) -> Caption:
    """Find which words of a sample's caption look alike; no words without a prompt."""
    prompt = sample.prompt
    if prompt is None:
        return Caption([])
    found = {int(label) for label in sample.labels}
    colors = entity_colors(len(prompt.entities), found)
    runs = _runs(prompt, found, colors)
    if prompt.pieces is None or len(prompt.entities) <= MAX_NAMES:
        return Caption(runs)
    names = [Run(prompt.entities[i].name, i, colors[i], False) for i in sorted(found)]
    return Caption(runs, Folded(names, len(prompt.entities) - len(found)))


def _runs(prompt: Prompt, found: Collection[int], colors: list[Color]) -> list[Run]:
    runs: list[Run] = []
    for text, entity, blank in caption_pieces(prompt, found):
        if entity in found and runs and runs[-1].entity == entity:
            # words of one entity share a background
            before = runs.pop()
            runs.append(before._replace(text=before.text + ' ' * blank + text))
        else:
            runs.append(Run(text, entity, colors[entity] if entity in found else None, blank))
    return runs


def boxes_of(sample: DatasetSample) -> Boxes:
    """Format the names, corners and scores of the boxes of a sample."""
    count = len(sample.boxes)
    rows = [[name, *(f'{side:.1f}' for side in box),
             '' if sample.scores is None else f'{sample.scores[i]:.2f}']
            for i, (box, name) in enumerate(zip(sample.boxes, sample.names))]
    height, width = sample.image.shape[:2]
    note = f', {len(sample.ignored)} ignored' if len(sample.ignored) else ''
    return Boxes(f'{width} × {height} pixels, {count} box{"" if count == 1 else "es"}{note}', rows)


def _data_address(picture: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format='JPEG', quality=88, subsampling=0)
    return f'data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}'
