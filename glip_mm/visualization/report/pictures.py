"""Draw the worst errors, for the prompt to stand beneath."""

import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmengine.logging import print_log

from glip_mm.box_iou import box_iou
from glip_mm.evaluation.analysis.analysis import Analysis
from glip_mm.evaluation.analysis.errors import KINDS, FalseDetection, pick_worst
from glip_mm.image_decoding import decode_image
from glip_mm.text import Prompt
from glip_mm.visualization.dataset_sample import DatasetSample


class Picture(NamedTuple):
    """An error to look at: the drawn sample, and what is wrong in a few words."""

    sample: DatasetSample
    text: str


def worst_false(analysis: Analysis, limit: int) -> list[Picture]:
    """Draw the surest false detections, with the box that each one overlaps."""
    result, false = analysis.result, analysis.errors.false
    chosen = pick_worst([int(result.image[e.detection]) for e in false],
                        [int(result.labels[e.detection]) for e in false], limit)
    return [_draw_false(analysis, false[i]) for i in chosen]


def worst_missed(analysis: Analysis, limit: int) -> list[Picture]:
    """Draw boxes that were missed, with the detections that lie on them."""
    missed, truth = analysis.errors.missed, analysis.truth
    chosen = pick_worst(truth.image[missed].tolist(), truth.labels[missed].tolist(), limit)
    return [_draw_missed(analysis, int(missed[i])) for i in chosen]


def _draw_false(analysis: Analysis, error: FalseDetection) -> Picture:
    result, truth = analysis.result, analysis.truth
    image, label = int(result.image[error.detection]), int(result.labels[error.detection])
    prompt, score = _prompt(analysis, image), float(result.scores[error.detection])
    boxes, labels = [result.boxes[error.detection]], [label]
    names = [f'{_name(prompt, label)} {score:.2f}']
    text = f'{names[0]}: {KINDS[error.kind]}'
    if error.box >= 0:
        true = int(truth.labels[error.box])
        boxes.append(truth.boxes[error.box])
        labels.append(true)
        names.append(f'true: {_name(prompt, true)}')
        text += f', IoU {error.iou:.2f} with ' + (
            'the box' if true == label else f'a true {_name(prompt, true)}')
    others = truth.image == image
    if error.box >= 0:
        others[error.box] = False
    return Picture(_sample(analysis, image, boxes, labels, names, truth.boxes[others], prompt),
                   text)


def _draw_missed(analysis: Analysis, box: int) -> Picture:
    result, truth, errors = analysis.result, analysis.truth, analysis.errors
    image, label = int(truth.image[box]), int(truth.labels[box])
    prompt = _prompt(analysis, image)
    here = np.flatnonzero((result.image == image) & (result.scores >= errors.threshold))
    overlaps = box_iou(result.boxes[here], truth.boxes[[box]])[:, 0]
    near = here[overlaps >= 0.3]
    near = near[np.argsort(-result.scores[near], kind='stable')][:3]
    labels = [label, *result.labels[near].tolist()]
    names = [f'missed: {_name(prompt, label)}']
    names += [f'{_name(prompt, int(result.labels[i]))} {result.scores[i]:.2f}' for i in near]
    found = float(analysis.matches.found[box])
    text = f'{_name(prompt, label)}: ' + (
        'no box' if np.isnan(found) else f'found with {found:.2f} only')
    if len(near):
        text += f', here instead: {", ".join(names[1:])}'
    return Picture(_sample(analysis, image, [truth.boxes[box], *result.boxes[near]], labels, names,
                           np.zeros((0, 4)), prompt), text)


def _sample(analysis: Analysis, image: int, boxes: list, labels: list[int], names: list[str],
            others: np.ndarray, prompt: Prompt) -> DatasetSample:
    tested = analysis.result.images[image]
    return DatasetSample(
        _read(analysis, image), np.array(boxes, dtype=float).reshape(-1, 4), np.array(labels),
        names, None, prompt, others, tested.path, f'image {tested.img_id}')


def _prompt(analysis: Analysis, image: int) -> Prompt:
    if analysis.truth.prompts is not None:
        return analysis.truth.prompts[image]
    return Prompt.from_names(analysis.result.classes,
                             caption_prompt=analysis.result.caption_prompt)


def _name(prompt: Prompt, label: int) -> str:
    return prompt.entities[label].name if label < len(prompt.entities) else f'label {label}'


def _read(analysis: Analysis, image: int) -> np.ndarray:
    """Read an image as ``[height, width, 3]`` RGB; grey where the file is gone."""
    tested, reason = analysis.result.images[image], ''
    for path in (Path(tested.path), Path(analysis.result.img_prefix) / Path(tested.path).name):
        if path.is_file():
            try:
                return decode_image(path.read_bytes(), analysis.result.color_type)[..., ::-1]
            except (OSError, ValueError) as error:
                reason = f' ({error})'
    print_log(f"the image '{tested.path}' can not be read{reason}: its place in the report is grey",
              logger='current', level=logging.WARNING)
    return np.full((*tested.size, 3), 160, dtype=np.uint8)
