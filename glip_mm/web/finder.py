"""From a picture and words to what the page shows; knows nothing of Gradio."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

import numpy as np

from glip_mm.apis import GLIPInferencer, GroundingResult, Results, Thresholds
from glip_mm.atomic_files import write_atomically
from glip_mm.image_decoding import open_image
from glip_mm.pseudo_labels.export import Collection, export_labels
from glip_mm.pseudo_labels.label_rows import LabelRows

from .texts import read_prompt, split_names

#: Columns of :attr:`Answer.rows`; the last four are pixels.
COLUMNS = ('name', 'score', 'x', 'y', 'width', 'height')


@dataclass(frozen=True)
class Limits:
    """Limits of what one request may bring.

    Args:
        size: Bytes of a picture.
        pixels: Pixels of a picture.
        characters: Characters of a text.
    """

    size: int = 20 << 20
    pixels: int = 40_000_000
    characters: int = 2000


class Answer(NamedTuple):
    """What the page shows of a result."""

    #: Boxes in the colours of their words, the caption under them, ``[height, width, 3]`` RGB.
    picture: np.ndarray
    #: Counts of the names, or how far the best box was from its threshold.
    summary: str
    #: A row of :data:`COLUMNS` for each box, best first.
    rows: list[list[str | float]]
    #: COCO file, and archive of labels and picture as YOLO has them; None without boxes.
    coco: Path | None
    yolo: Path | None


class Found(NamedTuple):
    """What was found in a picture."""

    #: All boxes, whatever their score; its path is the name of the picture.
    result: GroundingResult
    #: The picture, encoded.
    content: bytes


class Finder:
    """Finds what is named in pictures, one at a time.

    Args:
        inferencer: Inferencer of the one model.
        folder: Folder for files to download; those of the last answer are kept.
        limits: Limits of a request.
    """

    def __init__(self, inferencer: GLIPInferencer, folder: Path, limits: Limits = Limits()) -> None:
        self.inferencer, self.folder, self.limits = inferencer, folder, limits

    def find(self, path: str | None, kind: str, text: str, negatives: str = '') -> Found:
        """Find words in a picture.

        Args:
            path: File of the picture.
            kind: Kind of the text, see :func:`.texts.read_prompt`.
            text: What to look for.
            negatives: Names that compete for boxes and are not returned.

        Raises:
            ImportError, ValueError: If the picture or the text cannot be used; the message is for
                who sees the page.
        """
        if not path:
            raise ValueError('give a picture first')
        if not text.strip():
            raise ValueError('say what to look for')
        content = self._read(Path(path))
        results = self.inferencer(
            content, read_prompt(kind, text, self.limits.characters),
            negatives=split_names(negatives, self.limits.characters) if negatives.strip() else ())
        return Found(replace(results[0], path=Path(path).name), content)

    def show(self, found: Found, score_thr: float, top_k: int) -> Answer:
        """Draw, list and write the boxes of a picture.

        Args:
            found: What :meth:`find` returned.
            score_thr: Threshold of names that the model stores none for.
            top_k: Maximum number of boxes.
        """
        thresholds = Thresholds(score_thr, self.inferencer.thresholds.by_name)
        result = replace(found.result, thresholds=thresholds)
        shown = result.shown.select(top_k=top_k)
        rows: list[list[str | float]] = [
            [name, round(score, 3), *(round(v, 1) for v in (x1, y1, x2 - x1, y2 - y1))]
            for name, score, (x1, y1, x2, y2) in zip(
                shown.names, shown.scores.tolist(), shown.boxes.tolist())]
        summary = Results([shown if rows else result]).summary()
        coco, yolo = self._files(found, shown) if rows else (None, None)
        return Answer(shown.plot(palette=self.inferencer.palette, font=self.inferencer.font),
                      summary, rows, coco, yolo)

    def _read(self, path: Path) -> bytes:
        """Read a picture that is within the limits."""
        size, limits = path.stat().st_size, self.limits
        if size > limits.size:
            raise ValueError(f'the picture has {size / 2**20:.1f} MiB, more than the '
                             f'{limits.size / 2**20:.1f} that are read: make it smaller')
        content = path.read_bytes()
        try:
            with open_image(content) as image:
                width, height = image.size
        except Exception as error:  # decoders raise exceptions of any type
            raise ValueError(f'the picture can not be read: {error}') from error
        if width * height > limits.pixels:
            raise ValueError(f'the picture has {width} x {height} pixels, more than the '
                             f'{limits.pixels:,} that are read: make it smaller')
        return content

    def _files(self, found: Found, shown: GroundingResult) -> tuple[Path, Path]:
        """Write what can be downloaded, in place of the files before."""
        shutil.rmtree(self.folder, ignore_errors=True)
        name, stem = str(shown.path), Path(str(shown.path)).stem
        coco = Results([shown]).save_coco(self.folder / f'{stem}.coco.json')
        work = self.folder / 'work'
        picture = write_atomically(work / 'images' / name, found.content)
        width, height = shown.size or (0, 0)
        instances = [dict(bbox=box, label=label, score=score) for box, label, score in zip(
            shown.boxes.tolist(), shown.labels.tolist(), shown.scores.tolist())]
        row = dict(filename=name, width=width, height=height, detection=dict(instances=instances))
        labels = write_atomically(work / 'labels.jsonl', json.dumps(row).encode())
        names = shown.prompt.names if shown.prompt is not None else []
        export_labels(Collection(LabelRows(labels, dict(enumerate(names))), picture.parent,
                                 progress=False), 'yolo', work / 'yolo')
        archive = self.folder / f'{stem}.yolo.zip'
        with ZipFile(archive, 'w') as packed:
            for path in sorted(work.joinpath('yolo').rglob('*')):
                if path.is_file():
                    packed.write(path, path.relative_to(work / 'yolo'))
            packed.write(picture, f'images/{name}')
        return coco, archive
