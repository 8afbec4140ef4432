"""Read what a test run left in its work directory."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.logging import print_log

from glip_mm.datasets.data_error import read_json
from glip_mm.datasets.transforms.load_image import color_type_of
from glip_mm.evaluation.predictions import Prediction, PredictionStore
from glip_mm.text import CaptionPrompt

from .config_datasets import config_datasets


class TestImage(NamedTuple):
    """An image that was tested.

    Attributes:
        img_id: Id in the annotation file.
        path: File, as the test run read it.
        size: Height and width in pixels.
        names: Names of the labels in this image, where they are phrases; else ``None``.
        position: Position in the data set.
    """

    img_id: int | str
    path: str
    size: tuple[int, int]
    names: tuple[str, ...] | None
    position: int = 0


TestImage.__test__ = False  # type: ignore[attr-defined]  # no class of tests


@dataclass(frozen=True)
class DatasetResult:
    """The detections of a model in a data set: ``D`` in ``I`` images.

    Attributes:
        name: Name of the data set.
        ann_file: Annotation file.
        img_prefix: Folder of the images.
        classes: Names of the labels; empty where every image has phrases of its own.
        num_images: Images of the data set; ``I`` is smaller if the test was interrupted.
        images: ``[I]`` tested images.
        image: ``[D]`` position in ``images``.
        boxes: ``[D, 4]`` xyxy, half open, pixels of the original image.
        scores: ``[D]`` scores.
        labels: ``[D]`` labels.
        caption_prompt: Words that the prompt had instead of some names, see
            :meth:`glip_mm.text.Prompt.from_names`.
        config: File of the config.
        number: Number of the data set among those of ``config.test_dataloader``.
        color_type: With which images were loaded, see
            :func:`glip_mm.image_decoding.decode_image`.
    """

    name: str
    ann_file: Path
    img_prefix: str
    classes: tuple[str, ...]
    num_images: int
    images: list[TestImage]
    image: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    caption_prompt: CaptionPrompt | None = None
    config: Path | None = None
    number: int = 0
    color_type: str = 'color'

    @property
    def phrases(self) -> bool:
        """Return whether every image has names of its own."""
        return not self.classes


@dataclass(frozen=True)
class Result:
    """A test run.

    Attributes:
        name: Name in the report.
        folder: Work directory.
        metrics: Metrics by name, rates as shares of 1.
        expected: Published metrics by name.
        model: Name of the model in the metafile, if known.
        benchmark: Name of the benchmark, if it is one.
        checkpoint: File or address of the weights.
        environment: Versions and hardware.
        seconds: Time of the test, NaN if unknown.
        config: Full config as text; empty if there is none.
        datasets: Data sets whose predictions were stored.
        tolerance: Difference by which a metric may stay below a published one; usually 0.3
            points, since those have one digit.
    """

    name: str
    folder: Path
    metrics: dict[str, float]
    expected: dict[str, float]
    model: str | None
    benchmark: str | None
    checkpoint: str
    environment: dict[str, Any]
    seconds: float
    config: str
    datasets: list[DatasetResult] = field(default_factory=list)
    tolerance: float = 0.003


def read_result(folder: str | Path, name: str | None = None) -> Result:
    """Read the work directory of a test run, or of a suite of them.

    Args:
        folder: Directory that holds ``metrics.json``, and usually ``config.py`` and
            ``predictions/``. That of a suite holds such directories, one for each data set.
        name: Name of the run; default: the model's name, else the directory's.

    Returns:
        The run; without predictions it has metrics alone, with a warning.

    Raises:
        FileNotFoundError: If there is no ``metrics.json``.
        ValueError: If it can not be understood, or the predictions do not belong to it.
    """
    folder = Path(folder)
    alone = (folder / 'predictions').is_dir()
    members = [] if alone else [p.parent for p in sorted(folder.glob('*/metrics.json'))]
    if not members:
        return _read_run(folder, name)
    runs = [_read_run(member) for member in members]
    if (folder / 'metrics.json').is_file():
        whole = _read_run(folder, name, quiet=True)
    else:
        whole = replace(
            runs[0], folder=folder, name=name or runs[0].model or folder.resolve().name,
            metrics={f'{run.folder.name}/{key}': value for run in runs
                     for key, value in run.metrics.items()},
            expected={f'{run.folder.name}/{key}': value for run in runs
                      for key, value in run.expected.items()},
            seconds=sum(run.seconds for run in runs))
    return replace(whole, datasets=[dataset for run in runs for dataset in run.datasets],
                   config=whole.config or runs[0].config,
                   environment=whole.environment or runs[0].environment)


def _read_run(folder: Path, name: str | None = None, quiet: bool = False) -> Result:
    path = folder / 'metrics.json'
    if not path.is_file():
        wrong = 'is a file' if folder.is_file() else 'has no metrics.json'
        raise FileNotFoundError(f"'{folder}' {wrong}; give the work directory of a finished "
                                'tools/test.py')
    try:
        content = read_json(path)
        metrics = {key: float(value) for key, value in content['metrics'].items()
                   if isinstance(value, (int, float))}
        entries = [dict(entry, name=str(entry['name']), num_images=int(entry['num_images']))
                   for entry in content.get('datasets') or ()]
        for entry in entries:
            if not all(isinstance(name, str) for name in entry.get('classes') or ()):
                raise ValueError(f"classes {entry['classes']!r:.80} must be texts")
            for key in ('ann_file', 'img_prefix'):
                if not isinstance(entry.get(key) or '', str):
                    raise ValueError(f'{key} {entry[key]!r:.80} must be a text')
        config = folder / Path(content.get('config') or 'config.py').name
        seconds = content.get('seconds')
        result = Result(
            name=name or content.get('model') or folder.resolve().name, folder=folder,
            metrics=metrics, expected=dict(content.get('expected') or {}),
            model=content.get('model'), benchmark=content.get('benchmark'),
            checkpoint=str(content.get('checkpoint') or ''),
            environment=dict(content.get('environment') or {}),
            seconds=float('nan') if seconds is None else float(seconds),
            config=config.read_text(encoding='utf-8') if config.is_file() else '',
            datasets=[], tolerance=float(content.get('tolerance') or Result.tolerance))
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"'{path}' is no metrics.json of tools/test.py "
                         f'({type(error).__name__}: {error})') from error
    return result if quiet else replace(
        result, datasets=_read_predictions(folder, entries, config))


def _read_predictions(folder: Path, entries: Sequence[Mapping],
                      config: Path) -> list[DatasetResult]:
    if not (folder / 'predictions').is_dir():
        print_log(f"'{folder}' has no predictions/: its report shows metrics alone",
                  logger='current', level=logging.WARNING)
        return []
    store = PredictionStore(folder / 'predictions')
    # images are numbered through all data sets, one after the other
    ends = np.cumsum([int(entry['num_images']) for entry in entries])
    parts: list[list[Prediction]] = [[] for _ in entries]
    for prediction in store:
        which = int(np.searchsorted(ends, prediction.index, side='right'))
        if which == len(entries):
            raise ValueError(f"'{folder}/predictions' has image {prediction.index}, but the data "
                             f'sets of metrics.json hold {int(ends[-1]) if len(ends) else 0}: '
                             'the two are of different runs; test again')
        parts[which].append(prediction)
    starts = [0, *ends.tolist()]
    members = config_datasets(config)
    members += [{}] * (len(entries) - len(members))
    return [_collect(entry, part, folder, starts[i], config, i, members[i])
            for i, (entry, part) in enumerate(zip(entries, parts))]


def _collect(entry: Mapping, predictions: Sequence[Prediction], folder: Path, start: int,
             config: Path, number: int, member: Mapping) -> DatasetResult:
    name, total = str(entry['name']), int(entry['num_images'])
    if len(predictions) < total:
        print_log(f"'{folder}' has predictions for {len(predictions)} of the {total} images of "
                  f"'{name}': the report is of those", logger='current', level=logging.WARNING)
    counts = [len(prediction.scores) for prediction in predictions]
    return DatasetResult(
        name, Path(entry.get('ann_file') or ''), str(entry.get('img_prefix') or ''),
        tuple(entry.get('classes') or ()), total,
        [TestImage(p.img_id, p.img_path, (p.ori_shape[0], p.ori_shape[1]),
                   None if p.names is None else tuple(p.names), p.index - start)
         for p in predictions],
        np.repeat(np.arange(len(predictions)), counts),
        _join((p.bboxes for p in predictions), (0, 4), np.float32),
        _join((p.scores for p in predictions), (0, ), np.float32),
        _join((p.labels for p in predictions), (0, ), np.int32), member.get('caption_prompt'),
        config, number, color_type_of(member.get('pipeline') or ()))


def _join(arrays: Iterable[np.ndarray], empty: tuple[int, ...], dtype: type) -> np.ndarray:
    arrays = [np.asarray(array, dtype).reshape(-1, *empty[1:]) for array in arrays]
    return np.concatenate(arrays) if arrays else np.zeros(empty, dtype)
