"""One self-contained HTML page of pictures with their captions."""

import base64
import contextlib
import html
import io
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image

from ..atomic_files import replacing
from .caption import caption_pieces
from .dataset_sample import DatasetSample
from .page_style import page_head
from .palette import Color, entity_colors, readable_on

#: A vocabulary with more names than this is folded to those that have a box.
MAX_NAMES = 40

_TAIL = '</main></body></html>\n'


class HtmlPage:
    """Writes a page picture by picture; the file appears when it is complete.

    Args:
        path: The file.
        title: Heading.
        note: A sentence under it.

    Example:
        >>> with HtmlPage('page.html', 'train', '2 samples') as page:  # doctest: +SKIP
        ...     page.add(sample, 'sample 0')
    """

    def __init__(self, path: str | Path, title: str, note: str = '') -> None:
        self.path = Path(path)
        self._stack = contextlib.ExitStack()
        self._file = self._stack.enter_context(replacing(self.path))
        self._write(f'{page_head(html.escape(title))}<h1>{html.escape(title)}</h1>\n'
                    f'<p>{html.escape(note)} <span class="none">Grey words have no box.</span>'
                    '</p>\n<main class="pictures">\n')

    def add(self, sample: DatasetSample, title: str, max_side: int = 800) -> None:
        """Add a sample.

        Args:
            sample: The sample.
            title: What to call it.
            max_side: A larger image is made smaller.
        """
        note = ' · '.join(filter(None, [title, Path(sample.path).name, sample.where]))
        self._write(figure_html(sample, title, f'<small>{html.escape(note)}</small>'
                                f'{boxes_html(sample)}', max_side))

    def add_error(self, title: str, message: str) -> None:
        """Add a sample that could not be read."""
        self._write(error_html(title, message))

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
            self._write(_TAIL)


def figure_html(sample: DatasetSample, title: str, note: str = '', max_side: int = 800,
                lead: str = '') -> str:
    """A picture with its caption beneath.

    Args:
        sample: The sample.
        title: What stands for the picture where it is not seen.
        note: HTML under the caption.
        max_side: A larger image is made smaller.
        lead: HTML over the caption.

    Returns:
        A ``<figure>`` that holds the picture itself.
    """
    picture = sample.draw(caption=False, max_side=max_side)
    height, width = picture.shape[:2]
    return (f'<figure><img loading="lazy" width="{width}" height="{height}" '
            f'alt="{html.escape(title)}" src="{_data_address(picture)}">\n<figcaption>'
            f'{lead}{caption_html(sample)}{note}</figcaption></figure>\n')


def error_html(title: str, message: str) -> str:
    """What stands where a picture could not be drawn."""
    return (f'<figure><div class="error"><b>{html.escape(title)}</b><br>{html.escape(message)}'
            '</div></figure>\n')


def caption_html(sample: DatasetSample) -> str:
    """The caption of a sample: words in the colour of their boxes, others grey.

    Args:
        sample: The sample.

    Returns:
        HTML, escaped; empty without a prompt.
    """
    prompt = sample.prompt
    if prompt is None:
        return ''
    found = {int(label) for label in sample.labels}
    colors = entity_colors(len(prompt.entities), found)
    words: list[str] = []
    last = -1
    for piece in caption_pieces(prompt, found):
        text, blank = html.escape(piece.text), ' ' if piece.blank else ''
        if piece.entity in found and piece.entity == last and words:
            # words of one entity share a background
            words[-1] = words[-1].removesuffix('</mark>') + f'{blank}{text}</mark>'
        elif piece.entity in found:
            words.append(f'{blank}{_mark(text, colors[piece.entity])}')
        elif piece.entity >= 0:
            words.append(f'{blank}<span class="none">{text}</span>')
        else:
            words.append(f'{blank}{text}')
        last = piece.entity
    whole = ''.join(words).strip()
    if prompt.pieces is None or len(prompt.entities) <= MAX_NAMES:
        return whole
    shown = ' '.join(_mark(html.escape(prompt.entities[i].name), colors[i]) for i in sorted(found))
    rest = len(prompt.entities) - len(found)
    return (f'{shown}<details><summary class="none">{rest} names without a box</summary>'
            f'{whole}</details>')


def _mark(text: str, color: Color) -> str:
    return (f'<mark style="background:rgb{color};color:rgb{readable_on(color)}">'.replace(', ', ',')
            + f'{text}</mark>')


def boxes_html(sample: DatasetSample) -> str:
    """Names, corners and scores of the boxes of a sample, to be opened.

    Args:
        sample: The sample.

    Returns:
        HTML, escaped.
    """
    count = len(sample.boxes)
    rows = []
    for i, (box, name) in enumerate(zip(sample.boxes, sample.names)):
        score = '' if sample.scores is None else f'{sample.scores[i]:.2f}'
        cells = [html.escape(name), *(f'{side:.1f}' for side in box), score]
        rows.append('<tr>' + ''.join(f'<td>{cell}</td>' for cell in cells) + '</tr>')
    height, width = sample.image.shape[:2]
    note = f', {len(sample.ignored)} ignored' if len(sample.ignored) else ''
    head = f'{width} × {height} pixels, {count} box{"" if count == 1 else "es"}{note}'
    if not rows:
        return f'<small>{head}</small>'
    return (f'<details><summary><small style="display:inline">{head}</small></summary><table>'
            f'{"".join(rows)}</table></details>')


def _data_address(picture: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format='JPEG', quality=88, subsampling=0)
    return f'data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}'
