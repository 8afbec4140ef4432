"""Read a dataset's sample to be looked at, as annotated or as the model gets it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmcv.transforms import LoadImageFromFile
from PIL import Image

from glip_mm.text import Prompt
from glip_mm.text.names import listed

from .grounding import draw_grounding
from .visualizer import sample_prompt


@dataclass(frozen=True)
class DatasetSample:
    """An image and its ground truth.

    Attributes:
        image: ``[height, width, 3]`` uint8 RGB.
        boxes: ``[K, 4]`` xyxy, half open, pixels of ``image``.
        labels: ``[K]`` entities of the prompt.
        names: ``[K]`` names of the boxes.
        scores: ``[K]`` where boxes were made by a model, else ``None``.
        prompt: Prompt that the labels point at, if the sample has text.
        ignored: ``[M, 4]`` boxes that training leaves alone.
        path: File of the image.
        where: Row of the annotations, ``file:line``, if the dataset tells.
    """

    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    names: list[str]
    scores: np.ndarray | None
    prompt: Prompt | None
    ignored: np.ndarray
    path: str = ''
    where: str = ''

    def draw(self, caption: bool = True, title: str = '', max_side: int = 1000,
             font: str | None = None) -> np.ndarray:
        """Draw the sample.

        Args:
            caption: Whether the caption stands under the image.
            title: Small line between both.
            max_side: Longest side in pixels; a larger image is made smaller.
            font: Path of a font file, for scripts that DejaVu Sans lacks.

        Returns:
            ``[h, w, 3]`` uint8 RGB.
        """
        image, scale = self.image, max_side / max(self.image.shape[:2])
        if scale < 1:
            width, height = (max(1, round(side * scale)) for side in image.shape[1::-1])
            image = np.asarray(Image.fromarray(image).resize((width, height),
                                                             Image.Resampling.BICUBIC))
        scale = min(scale, 1)
        result = _Result(self.boxes * scale, self.labels, self.names, self.scores)
        return draw_grounding(image, result, self.prompt, score_thr=-1, caption=caption,
                              title=title, font=font, ignored=self.ignored * scale)


@dataclass(frozen=True)
class _Result:
    boxes: np.ndarray
    labels: np.ndarray
    names: list[str]
    scores: np.ndarray | None


def read_sample(dataset: Any, index: int, stage: str = 'pipeline') -> DatasetSample:
    """Read a sample of a dataset.

    Args:
        dataset: Any dataset that yields MMDetection's data samples, wrapped or not.
        index: Number of the sample.
        stage: ``'pipeline'``: what the model gets; ``'raw'``: the annotation as it was read, on
            the image as it is on disk.

    Returns:
        The sample.

    Raises:
        LookupError: If the pipeline leaves the sample out.
        ValueError: If the annotation or the stage makes no sense.
    """
    if stage not in ('pipeline', 'raw'):
        raise ValueError(f"stage='{stage}' is unknown; use 'pipeline' or 'raw'")
    member, row = locate(dataset, index)
    where = str(member.where(row)) if hasattr(member, 'where') else ''
    classes = tuple(listed((getattr(member, 'metainfo', None) or {}).get('classes') or ()))
    if stage == 'raw':
        if not hasattr(member, 'get_data_info'):
            raise ValueError(f'{type(member).__name__} has no get_data_info(), which stage=raw '
                             'reads; look at stage=pipeline, or at its members one by one')
        return from_annotation(member.get_data_info(row), classes, image_loader(member), where)
    # a dataset that is asked for an item silently gives another where the pipeline says no
    item = member.prepare_data(row) if hasattr(member, 'prepare_data') else member[row]
    if item is None:
        raise LookupError(f'the pipeline leaves sample {index} out (it returned None)')
    return from_item(item, classes, boxes_stay_unscaled(member), where)


def locate(dataset: Any, index: int) -> tuple[Any, int]:
    """Look through wrappers that only choose or repeat samples (``ConcatDataset``, ...).

    Returns:
        The dataset that holds the sample, and its index there.
    """
    while hasattr(dataset, '_get_ori_dataset_idx'):
        if hasattr(dataset, 'datasets'):
            member, index = dataset._get_ori_dataset_idx(index)
            dataset = dataset.datasets[member]
        else:
            index = dataset._get_ori_dataset_idx(index)
            dataset = dataset.dataset
    return dataset, index


def from_item(item: dict, classes: Sequence[str] = (), unscaled: bool = False,
              where: str = '') -> DatasetSample:
    """Convert what the pipeline returns.

    Args:
        item: ``inputs``, a ``[3, height, width]`` tensor in the channel order of MMDetection's
            loaders (BGR), and ``data_samples``.
        classes: Names of labels where the sample has no text.
        unscaled: Whether boxes still are in the frame of the image on disk.
        where: Row of the annotations.

    Returns:
        The sample.

    Raises:
        ValueError: If the item is not of that form.
    """
    if not isinstance(item, dict) or 'inputs' not in item or 'data_samples' not in item:
        found = f'the keys {sorted(item)}' if isinstance(item, dict) else type(item).__name__
        raise ValueError("the pipeline must end in PackDetInputs and give 'inputs' and "
                         f"'data_samples', got {found}")
    sample = item['data_samples']
    pixels = item['inputs'].permute(1, 2, 0).numpy()[..., ::-1]
    scale = np.tile(np.asarray(sample.get('scale_factor', (1, 1)), dtype=float)[:2], 2)
    truth = sample.get('gt_instances')
    boxes, ignored = _boxes(truth), _boxes(sample.get('ignored_instances'))
    if unscaled:
        boxes, ignored = boxes * scale, ignored * scale
    labels = truth.labels if truth is not None and 'labels' in truth else ()
    prompt = sample_prompt(sample)
    names = prompt.names if prompt is not None else list(classes)
    return _make(pixels, boxes, labels, names, _scores(truth), prompt, ignored,
                 str(sample.get('img_path', '')), where)


def from_annotation(info: dict, classes: Sequence[str], loader: LoadImageFromFile,
                    where: str = '') -> DatasetSample:
    """Convert what ``get_data_info`` returns.

    Args:
        info: ``instances``, and ``text`` with or without ``phrases`` as ``ODVGDataset`` has them.
        classes: Names of labels where there is no text.
        loader: Transform that reads the image.
        where: Row of the annotations.

    Returns:
        The sample.

    Raises:
        ValueError: If a label has no name, or a phrase no place in the caption.
        OSError: If the image can not be read.
    """
    prompt: Prompt | None
    text, instances = info.get('text'), list(info.get('instances', ()))
    path = str(info.get('img_path', ''))
    if isinstance(text, str):
        phrases = info.get('phrases', {})
        order = sorted(phrases)
        spans = [phrases[i]['tokens_positive'] for i in order]
        prompt = Prompt.from_caption(text, spans, [phrases[i]['phrase'] for i in order]) \
            if order else Prompt(text, ())
    else:
        named = dict(text) if isinstance(text, dict) else dict(enumerate(text or classes))
        named = {int(label): name for label, name in named.items()}
        order = sorted(named)
        prompt = Prompt.from_names([named[label] for label in order]) if text else None
    position = {label: i for i, label in enumerate(order)}
    missing = {i['bbox_label'] for i in instances} - set(position)
    if missing:
        raise ValueError(f'{where or path}: the labels {sorted(missing)} have no name or phrase; '
                         'check the label map (label_map_file) or the regions of the row')
    kept = [i for i in instances if not i.get('ignore_flag')]
    scores = [i.get('score') for i in kept]
    loaded = loader(dict(info))
    if loaded is None:
        raise OSError(f"the image '{path}' can not be read; check data_root and data_prefix")
    names = prompt.names if prompt is not None else [named[label] for label in order]
    return _make(
        loaded['img'][..., ::-1], np.array([i['bbox'] for i in kept], dtype=float),
        [position[i['bbox_label']] for i in kept], names,
        None if not kept or None in scores else np.array(scores, dtype=float), prompt,
        np.array([i['bbox'] for i in instances if i.get('ignore_flag')], dtype=float), path, where)


def image_loader(dataset: Any) -> LoadImageFromFile:
    """Return the image loader of a dataset's pipeline, or ours."""
    from glip_mm.datasets import LoadImage  # imports MMDetection
    for transform in _transforms(dataset):
        if isinstance(transform, LoadImageFromFile):
            return LoadImage.like(transform)
    return LoadImage()


def boxes_stay_unscaled(dataset: Any) -> bool:
    """Return whether a pipeline reads boxes after it resized the image, as test pipelines do."""
    names = [type(transform).__name__ for transform in _transforms(dataset)]
    reads = [i for i, name in enumerate(names) if name.startswith('LoadAnnotations')]
    resizes = [i for i, name in enumerate(names) if 'Resize' in name]
    return bool(reads and resizes) and max(resizes) < min(reads)


def _transforms(dataset: Any) -> Sequence[Any]:
    return getattr(getattr(dataset, 'pipeline', None), 'transforms', ())


def _boxes(instances: Any) -> np.ndarray:
    if instances is None or 'bboxes' not in instances:
        return np.zeros((0, 4))
    boxes = instances.bboxes
    return np.asarray(getattr(boxes, 'tensor', boxes), dtype=float).reshape(-1, 4)


def _scores(instances: Any) -> np.ndarray | None:
    if instances is None or 'scores' not in instances:
        return None
    return np.asarray(instances.scores, dtype=float)


def _make(pixels: np.ndarray, boxes: np.ndarray, labels: Any, names: Sequence[str],
          scores: np.ndarray | None, prompt: Prompt | None, ignored: np.ndarray, path: str,
          where: str) -> DatasetSample:
    labels = np.asarray(labels, dtype=int).reshape(-1)
    if len(names) and len(labels) and int(labels.max()) >= len(names):
        raise ValueError(f"{where or path}: label {int(labels.max())} is outside the prompt of "
                         f'{len(names)} entities; check the transform that builds the prompt')
    return DatasetSample(
        np.ascontiguousarray(pixels.clip(0, 255).astype(np.uint8)), boxes.reshape(-1, 4), labels,
        [names[label] if label < len(names) else str(label) for label in labels], scores, prompt,
        ignored.reshape(-1, 4), path, where)
