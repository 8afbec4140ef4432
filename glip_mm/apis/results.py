"""The results of a call: a sequence with one for each image."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from glip_mm.atomic_files import write_atomically
from glip_mm.visualization import save_image
from glip_mm_cli.outputs import check_folder_apart

from .exports import to_pandas
from .failures import FailedImage
from .outputs import OutputNames
from .result import GroundingResult


class Results(Sequence):
    """Results of a call, one for each image, in order; ``None`` for one that could not be used.

    ``results['predictions']``, ``results['visualization']`` and ``results['errors']``, as of
    MMDetection's inferencer, are the attributes.

    Args:
        predictions: A :class:`GroundingResult`, or ``None``, for each image.
        visualization: Pictures as RGB arrays, if they were asked for.
        errors: What could not be used, drawn or written, and why.

    Example:
        >>> for result in inferencer('photos', ['cup'], pred_score_thr=0.4):  # doctest: +SKIP
        ...     print(result.path, result.shown.names)
    """

    def __init__(self, predictions: Sequence[GroundingResult | None],
                 visualization: Sequence[np.ndarray | None] = (),
                 errors: Sequence[FailedImage] = ()) -> None:
        self.predictions = list(predictions)
        self.visualization = list(visualization)
        self.errors = list(errors)

    def __len__(self) -> int:
        return len(self.predictions)

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return self.predictions[key]
        if key not in ('predictions', 'visualization', 'errors'):
            raise KeyError(f"{key!r} is none of 'predictions', 'visualization', 'errors'")
        return getattr(self, key)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.predictions)

    def __repr__(self) -> str:
        return f'Results({self.summary()})'

    @property
    def found(self) -> list[GroundingResult]:
        """The results of the images that could be used."""
        return [result for result in self.predictions if result is not None]

    def summary(self) -> str:
        """Say in one line what was found, or how far from it the best box was."""
        counts = Counter(name for result in self.found for name in result.shown.names)
        images = f'{len(self)} image{"s" * (len(self) != 1)}'
        if len(self.found) < len(self):
            images = f'{len(self.found)} of {images}'
        if counts:
            return ', '.join(f'{name} {n}' for name, n in counts.most_common()) + f' in {images}'
        best = max(((result.scores[i], result.names[i], result.thresholds) for result in self.found
                    if len(result) for i in [int(result.scores.argmax())]),
                   key=lambda each: each[0], default=None)
        if best is None:
            return f'nothing found in {images}'
        score, name, thresholds = best
        return (f'nothing in {images} reached its threshold ({thresholds.at([name])[0]:.2g}); the '
                f'best score was {score:.2g} ({name})')

    def to_coco(self) -> dict[str, list[dict[str, Any]]]:
        """Convert the boxes that are shown to the content of a COCO file.

        Returns:
            ``images`` (ids count from 1, ``file_name`` is the path), ``categories`` (the names of
            all prompts, ids from 1 on in their order) and ``annotations``, with ``score``.
        """
        names = dict.fromkeys(name for result in self.found for name in (
            result.prompt.names if result.prompt is not None else result.names))
        ids = {name: i for i, name in enumerate(names, 1)}
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number, result in enumerate(self.predictions, 1):
            if result is None:
                continue
            width, height = result.size or (0, 0)
            images.append(dict(id=number, file_name=result.path or f'{number - 1:08d}.jpg',
                               width=width, height=height))
            shown = result.shown
            for row, name in zip(shown.to_coco(number), shown.names):
                annotations.append(dict(row, id=len(annotations) + 1, category_id=ids[name],
                                        area=row['bbox'][2] * row['bbox'][3], iscrowd=0))
            for row, mask in zip(annotations[len(annotations) - len(shown):],
                                 () if shown.masks is None else shown.masks):
                row['area'] = float(mask.sum())
        return dict(images=images, annotations=annotations,
                    categories=[dict(id=i, name=name) for name, i in ids.items()])

    def save_coco(self, path: str | PathLike) -> Path:
        """Write :meth:`to_coco` as a JSON file, atomically."""
        text = json.dumps(self.to_coco(), ensure_ascii=False)
        return write_atomically(Path(path), text.encode(errors='backslashreplace'))

    def to_pandas(self) -> Any:
        """Convert all boxes to a ``pandas.DataFrame``; ``image`` is the position of the image.

        Raises:
            ImportError: If pandas is missing.
        """
        return to_pandas(self.predictions)

    def save(self, out_dir: str | PathLike, **style: Any) -> None:
        """Write ``vis/NAME.jpg``, ``preds/NAME.json`` for each image, and ``coco.json``.

        Args:
            out_dir: Folder.
            style: Options of :meth:`GroundingResult.plot`.

        Raises:
            ValueError: If images were read from ``vis``.
        """
        check_folder_apart(Path(out_dir, 'vis'), [result.path for result in self.found])
        names = OutputNames()
        for index, result in enumerate(self.predictions):
            if result is not None:
                name = names(result.path, index)
                result.save(Path(out_dir, 'preds', f'{Path(name).stem}.json'))
                save_image(Path(out_dir, 'vis', name), result.plot(**style))
        self.save_coco(Path(out_dir, 'coco.json'))
