"""Checks of inference cases: every stage and the final detections."""

from typing import Any

import numpy as np
import torch
from mmengine.structures import InstanceData
from torch import nn

from glip_mm.models.dense_heads import PredictionSettings
from glip_mm.text import Prompt

from .capture import load_batch, recording
from .golden import GoldenCase
from .stages import compare_stages, compare_tokens
from .table import Row

SCORES, BOXES = 1e-4, 0.01


def case_prompt(case: GoldenCase, model: nn.Module) -> tuple[Prompt, Row]:
    """Build the prompt of a case, and check that its words own the stored tokens.

    Args:
        case: Case with the caption and the tokens of each label (1-based), but no spans.
        model: A GLIP, for its tokenizer.

    Returns:
        Prompt: joined from names if that gives the caption, otherwise a caption
        with the spans of the stored tokens. And the comparison of the tokens.
    """
    caption = case.meta['prompt']
    stored: dict[str, list[int]] = case.meta['positive_map_label_to_token']
    wanted = [stored[str(label + 1)] for label in range(len(stored))]
    prompt = Prompt.from_names(caption.split('. '))
    if prompt.caption != caption or len(prompt.entities) != len(wanted):
        offsets = model.language_model.tokenize([caption]).offsets[0]
        prompt = Prompt.from_caption(caption, [
            [(int(offsets[t[0]][0]), int(offsets[t[-1]][1]))] for t in wanted])
    owned = [row.nonzero().flatten().tolist() for row in model.prompts.token_map(prompt)]
    return prompt, Row('tokens of each name', 0.0 if owned == wanted else np.inf, 0.0)


def match_detections(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray,
                     mine: InstanceData, stage: str) -> list[Row]:
    """Compare two sets of detections, in any order.

    Args:
        boxes: ``[n, 4]`` stored boxes, inclusive xyxy.
        scores: ``[n]`` stored scores.
        labels: ``[n]`` stored labels, 1-based.
        mine: Our detections: MMDetection's xyxy, labels 0-based.
        stage: Name of the stage in the table.

    Returns:
        Rows of the set, the scores and the boxes.
    """
    my_boxes = mine.bboxes.cpu().numpy() - np.array([0, 0, 1, 1], dtype=np.float32)
    my_scores, my_labels = mine.scores.cpu().numpy(), mine.labels.cpu().numpy() + 1
    free = np.ones(len(my_boxes), dtype=bool)
    score_diff = box_diff = 0.0
    unmatched = abs(len(boxes) - len(my_boxes))
    for box, score, label in zip(boxes, scores, labels):
        candidates = (free & (my_labels == label)).nonzero()[0]
        if len(candidates):
            distance = np.abs(my_boxes[candidates] - box).max(axis=1)
            near = np.abs(my_scores[candidates] - score) + distance
            best = near.argmin()
            if distance[best] <= 10 * BOXES:
                free[candidates[best]] = False
                box_diff = max(box_diff, float(distance[best]))
                score_diff = max(score_diff, float(abs(my_scores[candidates[best]] - score)))
                continue
        unmatched += 1
    return [Row(f'{stage} set', float(unmatched), 0.0, f'of {len(boxes)} without a partner'),
            Row(f'{stage} scores', score_diff, SCORES),
            Row(f'{stage} boxes', box_diff, BOXES, 'pixels')]


def check_inference(case: GoldenCase, model: nn.Module) -> list[Row]:
    """Run an inference case.

    Args:
        case: Case to run.
        model: Model from :func:`build_model`.

    Returns:
        One row per stage.
    """
    model.eval()
    prompt, row = case_prompt(case, model)
    rows = [compare_tokens(case, model, [prompt.caption] * len(case.meta['images'])), row]
    inputs, samples = load_batch(case, model, training=False)
    for sample in samples:
        sample.set_metainfo(dict(prompt=prompt))
    settings = model.test_cfg.replace(
        score_thr=case.meta['pre_nms_thresh'], nms_pre=case.meta['pre_nms_top_n'],
        iou_threshold=case.meta['nms_thresh'], max_per_img=case.meta['detections_per_img'],
        score_agg=case.meta['score_agg'])
    with torch.no_grad():
        with recording(model) as (got, grounded):
            model.predict(inputs, samples, rescale=False, settings=settings)
        got.put('input', inputs)
        rows += compare_stages(case, got)
        rows += _detections(case, model, inputs, samples, grounded[0], settings)
    return rows


def _detections(case: GoldenCase, model: nn.Module, inputs: torch.Tensor, samples: list[Any],
                output: Any, settings: PredictionSettings) -> list[Row]:
    """Post-process the recorded head output under the stored settings."""
    rows: list[Row] = []
    model.ground, model.extract_feat = lambda *_: output, lambda _: output.feats

    def detect(rescale: bool = False, **changes: Any) -> list[InstanceData]:
        found = model.predict(inputs, samples, rescale, settings.replace(**changes))
        return [s.pred_instances for s in found]

    def compare(kind: str, found: list[InstanceData]) -> None:
        for i, result in enumerate(found):
            stored = [case.arrays[f'det{i}.{kind}{k}'] for k in ('boxes', 'scores', 'labels')]
            rows.extend(match_detections(*stored, result, f'det{i}.{kind}'.rstrip('.')))

    try:
        compare('', detect())
        for sample, (src_w, src_h), (h, w) in zip(samples, case.meta['src_sizes_wh'],
                                                  case.meta['image_sizes_hw']):
            sample.set_metainfo(dict(scale_factor=(w / src_w, h / src_h)))
        for i, result in enumerate(detect(rescale=True)):
            stored = case.arrays.get(f'det{i}.coco_xywh')
            if stored is not None:
                xyxy = np.concatenate((stored[:, :2], stored[:, :2] + stored[:, 2:] - 1), axis=1)
                rows += match_detections(xyxy, case.arrays[f'det{i}.scores'],
                                         case.arrays[f'det{i}.labels'], result, f'det{i}.coco')
        if 'hi_thresh' in case.meta:
            compare('hi.', detect(score_thr=case.meta['hi_thresh']))
    finally:
        del model.ground, model.extract_feat
    return rows
