"""Agreement of both models' outputs, a precondition of comparing their times."""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .running import Runner

#: Attributes that hold the probability of something random, in both models and their backbones.
_RANDOM = ('p', 'drop_prob', 'dropout', 'dropout_prob')


class Tolerances(NamedTuple):
    """Maximum accepted differences.

    Attributes:
        score: Absolute difference of detection scores.
        box: Difference of boxes in pixels.
        unmatched: Share of candidates that only one model has: scores close to the threshold.
        loss: Relative difference of losses.
    """

    score: float = 1e-4
    box: float = 0.05
    unmatched: float = 0.01
    loss: float = 1e-3


#: Precision of the run -> tolerances; half precision is compared loosely.
TOLERANCES = dict(float32=Tolerances(), bfloat16=Tolerances(0.05, 8.0, 0.5, 0.05),
                  float16=Tolerances(0.02, 4.0, 0.3, 0.02))
#: Loss names of ours and theirs.
LOSSES = dict(loss_region_word='loss_cls', loss_bbox='loss_bbox', loss_centerness='loss_centerness')


#: Settings without NMS and limits, for our model and theirs.
_ALL_CANDIDATES = (dict(iou_threshold=None, max_per_img=-1, nms_pre=100_000),
                   dict(nms=dict(type='nms', iou_threshold=1.0), max_per_img=100_000,
                        nms_pre=100_000))


def loosest(*dtypes: str) -> Tolerances:
    """Return the looser tolerances of two precisions.

    Args:
        dtypes: Precisions of both models.
    """
    return max((TOLERANCES[d] for d in dtypes), key=lambda t: t.score)


class Disagreement(RuntimeError):
    """The outputs of the two models differ."""


def compare_detections(ours: list[dict[str, Tensor]], theirs: list[dict[str, Tensor]],
                       tolerances: Tolerances) -> dict[str, Any]:
    """Match detections of the same label with similar scores and boxes.

    Args:
        ours: Boxes ``[n, 4]``, scores ``[n]`` and labels ``[n]`` of each image.
        theirs: The same from the other model.
        tolerances: Maximum accepted differences.

    Returns:
        Counts, the share of unmatched detections, and the largest differences of matched ones.
    """
    counts, partners, score_gap, box_gap = [0, 0], 0, 0.0, 0.0
    for a, b in zip(ours, theirs):
        counts = [counts[0] + len(a['labels']), counts[1] + len(b['labels'])]
        if not len(a['labels']) or not len(b['labels']):
            continue
        scores = (a['scores'][:, None].float() - b['scores'].float()).abs()
        boxes = (a['boxes'][:, None].float() - b['boxes'].float()).abs().amax(dim=2)
        same = ((a['labels'][:, None] == b['labels']) & (scores <= tolerances.score)
                & (boxes <= tolerances.box))
        cost = (scores / tolerances.score + boxes / tolerances.box).masked_fill(~same, torch.inf)
        best = cost.argmin(dim=1)
        rows = same.any(dim=1).nonzero().squeeze(1)
        columns = best[rows]
        partners += len(columns.unique())
        if len(rows):
            score_gap = max(score_gap, scores[rows, columns].max().item())
            box_gap = max(box_gap, boxes[rows, columns].max().item())
    most = max(counts)
    return dict(detections=counts, partners=partners,
                unmatched=1 - partners / most if most else 0.0,
                score_difference=score_gap, box_difference=box_gap)


def compare_losses(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> dict[str, Any]:
    """Compare the losses of both models; report the largest relative difference."""
    pairs = {mine: (float(ours[mine]), float(theirs[other])) for mine, other in LOSSES.items()}
    worst = max(abs(a - b) / max(abs(b), 1e-12) for a, b in pairs.values())
    return dict(losses={k: list(v) for k, v in pairs.items()}, loss_difference=worst)


@contextlib.contextmanager
def without_randomness(model: nn.Module) -> Iterator[None]:
    """Disable every dropout and stochastic depth of a model in a context."""
    saved = []
    for module in model.modules():
        for name in _RANDOM:
            value = vars(module).get(name)
            if isinstance(value, float):
                saved.append((module, name, value))
                setattr(module, name, 0.0)
    try:
        yield
    finally:
        for module, name, value in saved:
            setattr(module, name, value)


@contextlib.contextmanager
def all_candidates(ours: nn.Module, theirs: nn.Module) -> Iterator[None]:
    """Return detections before NMS and limits in a context.

    The two models use different NMS (widths with and without the last pixel) and select the
    candidates of a crowded level by different scores; their inputs are the same.
    """
    before, settings = ours.test_cfg, theirs.bbox_head.test_cfg
    values = {k: settings[k] for k in _ALL_CANDIDATES[1]}
    ours.test_cfg = before.replace(**_ALL_CANDIDATES[0])
    settings.update(_ALL_CANDIDATES[1])
    try:
        yield
    finally:
        ours.test_cfg = before
        settings.update(values)


def check(ours: Runner, theirs: Runner, tolerances: Tolerances) -> dict[str, Any]:
    """Run both models once and compare their outputs.

    Args:
        ours: Runner of our model on a case.
        theirs: Runner of MMDetection's model on the same case.
        tolerances: Maximum accepted differences.

    Returns:
        Results of the comparison, for the record.

    Raises:
        Disagreement: If the outputs differ, or there is nothing to compare.
    """
    for runner in (ours, theirs):
        runner.prepare()
    if ours.case.training:
        with torch.no_grad(), without_randomness(ours.model), without_randomness(theirs.model):
            found = compare_losses(ours.losses(), theirs.losses())
        agree = found['loss_difference'] <= tolerances.loss
    else:
        with all_candidates(ours.model, theirs.model):
            found = compare_detections(ours(), theirs(), tolerances)
        agree = found['partners'] > 0 and found['unmatched'] <= tolerances.unmatched
    found['tolerances'] = tolerances._asdict()
    if not agree:
        raise Disagreement(
            f"the models do not agree on '{ours.case.title()}', so their times are not compared: "
            f'{ {k: v for k, v in found.items() if k != "tolerances"} } against {tolerances}')
    return found
