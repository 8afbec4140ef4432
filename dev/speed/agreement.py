"""Whether both models compute the same, without which a comparison of their times means nothing."""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .running import Runner

#: Attributes that hold the probability of something random, in both models and their backbones.
_RANDOM = ('p', 'drop_prob', 'dropout', 'dropout_prob')


class Tolerances(NamedTuple):
    """Largest accepted differences.

    Attributes:
        score: Of detections, absolute.
        box: Of detections, pixels.
        unmatched: Share of candidates that only one model has: scores at the very threshold.
        loss: Of losses, relative.
    """

    score: float = 1e-4
    box: float = 0.05
    unmatched: float = 0.01
    loss: float = 1e-3


#: By precision of the run; half precision is compared loosely, its values are what they are.
TOLERANCES = dict(float32=Tolerances(), bfloat16=Tolerances(0.05, 8.0, 0.5, 0.05),
                  float16=Tolerances(0.02, 4.0, 0.3, 0.02))
#: Loss names of ours and theirs.
LOSSES = dict(loss_region_word='loss_cls', loss_bbox='loss_bbox', loss_centerness='loss_centerness')


#: Nothing suppressed, nothing cut: names of the settings of ours and theirs.
_ALL_CANDIDATES = (dict(iou_threshold=None, max_per_img=-1, nms_pre=100_000),
                   dict(nms=dict(type='nms', iou_threshold=1.0), max_per_img=100_000,
                        nms_pre=100_000))


def loosest(*dtypes: str) -> Tolerances:
    """What two precisions can agree to."""
    return max((TOLERANCES[d] for d in dtypes), key=lambda t: t.score)


class Disagreement(RuntimeError):
    """The two models do not compute the same."""


def compare_detections(ours: list[dict[str, Tensor]], theirs: list[dict[str, Tensor]],
                       tolerances: Tolerances) -> dict[str, Any]:
    """Match detections of the same label, score and place.

    Args:
        ours: For each image boxes ``[n, 4]``, scores ``[n]``, labels ``[n]``.
        theirs: Of the other model.
        tolerances: What counts as the same.

    Returns:
        Counts, the share without a partner, and the largest differences between partners.
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
    """Losses of both, and the largest relative difference."""
    pairs = {mine: (float(ours[mine]), float(theirs[other])) for mine, other in LOSSES.items()}
    worst = max(abs(a - b) / max(abs(b), 1e-12) for a, b in pairs.values())
    return dict(losses={k: list(v) for k, v in pairs.items()}, loss_difference=worst)


@contextlib.contextmanager
def without_randomness(model: nn.Module) -> Iterator[None]:
    """Every dropout and stochastic depth of a model does nothing meanwhile."""
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
    """Detections before suppression and cuts.

    The two models suppress by different rules (widths with and without the last pixel) and cut
    a crowded level by different scores; what they are given is the same.
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
    """Run both once and compare.

    Args:
        ours: Our model on a case.
        theirs: MMDetection's on the same.
        tolerances: Largest accepted differences.

    Returns:
        What was found, for the record.

    Raises:
        Disagreement: If the models do not compute the same, or find nothing to compare.
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
