"""Checks of training cases: losses, assignment, targets and gradients, without randomness."""

from typing import Any

import numpy as np
import torch
from mmcv.cnn.bricks import DropPath
from mmengine.structures import InstanceData
from torch import Tensor, nn

from glip_mm.checkpoints import convert_state_dict
from glip_mm.models.dense_heads.inclusive_boxes import to_half_open
from glip_mm.text import Prompt

from .capture import load_batch, recording
from .golden import GoldenCase
from .stages import FEATURES, compare_stages, compare_tokens
from .table import Row

LOSSES, TARGETS = 1e-4, 1e-4
GRADIENTS, BRANCH_WEIGHT_GRADIENTS = 5e-3, 5e-2
# single entries are noisier than norms: a sampling point that rounding moves across a
# pixel border changes the gradients of few anchors' losses by some 0.1 %
GRADIENT_SAMPLES = 2e-2
OUR_LOSS = {'loss_reg': 'loss_bbox', 'loss_centerness': 'loss_centerness',
            'loss_dot_product_token': 'loss_region_word', 'mlm_loss': 'loss_mlm'}


def silence(model: nn.Module) -> None:
    """Switch to training mode without any randomness."""
    model.train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(module, DropPath):
            module.drop_prob = 0.0
    if hasattr(model.neck, 'drop_prob'):
        model.neck.drop_prob = 0.0
    # attention dropout of the text encoder is not a module in all versions
    model.language_model.encoder.eval()


def training_samples(case: GoldenCase, model: nn.Module) -> tuple[Tensor, list[Any]]:
    """Load images with their captions; every box is an entity of its own."""
    inputs, samples = load_batch(case, model, training=True)
    for i, sample in enumerate(samples):
        caption, spans = case.meta['captions'][i], case.meta['tokens_positive'][i]
        boxes = torch.from_numpy(case.arrays[f'gt{i}.boxes'].reshape(-1, 4).astype(np.float32))
        # a prompt needs an entity, which an image without boxes never uses
        sample.set_metainfo(dict(
            prompt=Prompt.from_caption(caption, spans or [[[0, len(caption)]]])))
        sample.gt_instances = InstanceData(
            bboxes=to_half_open(boxes), labels=torch.arange(len(boxes)))
    return inputs, samples


def _stored_words(case: GoldenCase) -> tuple[Tensor, Tensor, Tensor]:
    """Return masked ids, mask and labels as they were drawn, cropped to the longest caption."""
    mask = torch.from_numpy(case.text_mask)
    longest = int(mask.sum(dim=1).max())
    ids, labels = (torch.from_numpy(case.arrays[k]).long() for k in ('input_ids', 'mlm_labels'))
    return ids[:, :longest], mask[:, :longest], labels[:, :longest]


def check_training(case: GoldenCase, model: nn.Module, gradients: bool = True) -> list[Row]:
    """Run a training case.

    Args:
        case: Case to run.
        model: Model from :func:`build_model`; with a masked-language head if the case has labels.
        gradients: Whether to compare gradients, too (one backward pass for each loss).

    Returns:
        One row per stage.
    """
    silence(model)
    assigned: list[Any] = []

    def assign(*args: Any) -> Any:
        assigned.append(type(model.bbox_head).assign(model.bbox_head, *args))
        return assigned[-1]

    model.bbox_head.assign = assign
    if 'mlm_labels' in case.arrays:
        model.mask_text = lambda *_: _stored_words(case)
    try:
        inputs, samples = training_samples(case, model)
        with recording(model) as (got, grounded), torch.set_grad_enabled(gradients):
            losses = model.loss(inputs, samples)
        got.put('input', inputs)
        if 'mlm_labels' in case.arrays:
            with torch.no_grad():
                got.put('head.mlm_logits', model.mlm_head(model._words(grounded[0].text)))
        rows = [compare_tokens(case, model, case.meta['captions'])]
        rows += compare_stages(case, got)
        rows += _targets(case, model, assigned[0]) + _losses(case, losses)
        if gradients:
            rows += _gradients(case, model, losses)
    finally:
        del model.bbox_head.assign
        model.__dict__.pop('mask_text', None)
        model.eval()
    return rows


def _targets(case: GoldenCase, model: nn.Module, assignment: Any) -> list[Row]:
    image, anchor = assignment.positives.cpu().numpy().T
    owner = assignment.gt_index.cpu().numpy()
    encoded = model.bbox_head.regression_targets(assignment).detach().cpu().numpy()
    rows = []
    for i in range(len(case.meta['images'])):
        mine = image == i
        stored = case.arrays[f'assign{i}.pos_inds'], case.arrays[f'assign{i}.gt_inds']
        same = (np.array_equal(anchor[mine], stored[0])
                and np.array_equal(owner[mine], stored[1]))
        rows.append(Row(f'assign{i}', 0.0 if same else np.inf, 0.0,
                        f'{int(mine.sum())} positive anchors, {len(stored[0])} stored'))
        if same and len(stored[0]):
            rows.append(Row(f'assign{i}.reg_targets', float(np.abs(
                encoded[mine] - case.arrays[f'assign{i}.reg_targets']).max()), TARGETS))
    quality = _centerness(assignment)
    stored = case.arrays['centerness_targets']
    difference = np.abs(quality - stored).max() if quality.shape == stored.shape else np.inf
    return rows + [Row('centerness_targets', float(difference), FEATURES)]


def _centerness(assignment: Any) -> np.ndarray:
    from glip_mm.models.losses import centerness_target
    return centerness_target(assignment.anchors, assignment.boxes).cpu().numpy()


def _losses(case: GoldenCase, losses: dict[str, Tensor]) -> list[Row]:
    rows = []
    for name, stored in case.meta['losses'].items():
        if name not in OUR_LOSS:
            continue  # loss_cls: dead weights times 0
        mine = losses.get(OUR_LOSS[name])
        difference = np.inf if mine is None else (
            abs(float(mine.detach()) - stored) / max(abs(stored), 1e-12))
        rows.append(Row(name, float(difference), LOSSES, 'relative'))
    total = float(sum(losses.values()).detach())
    stored = case.meta['total_loss']
    return rows + [Row('total_loss', abs(total - stored) / abs(stored), LOSSES, 'relative')]


def _gradients(case: GoldenCase, model: nn.Module, losses: dict[str, Tensor]) -> list[Row]:
    """Compare norms of all gradients and samples of some, per loss and in total."""
    named = {k: p for k, p in model.named_parameters() if p.requires_grad}
    total = {k: torch.zeros_like(p) for k, p in named.items()}
    rows: list[Row] = []
    terms = [t for t in OUR_LOSS if t in case.meta['losses']]
    for i, term in enumerate(terms):
        grads = torch.autograd.grad(losses[OUR_LOSS[term]], list(named.values()),
                                    retain_graph=i + 1 < len(terms), allow_unused=True)
        mine = {k: torch.zeros_like(p) if g is None else g
                for (k, p), g in zip(named.items(), grads)}
        for key, grad in mine.items():
            total[key] += grad
        rows += _compare_gradients(case, mine, term)
        del grads, mine  # as large as the model: free them before the next ones are computed
    return rows + _compare_gradients(case, total, 'total')


def _tolerance(key: str) -> float:
    # tiny sums with cancellation, at kinks of ReLU and bilinear sampling
    return BRANCH_WEIGHT_GRADIENTS if '.AttnConv.' in key else GRADIENTS


def _share(row: Row) -> float:
    """Return the difference as a share of its tolerance; NaN is the largest."""
    share = row.difference / row.tolerance
    return share if share == share else np.inf


def _compare_gradients(case: GoldenCase, grads: dict[str, Tensor], term: str) -> list[Row]:
    official, _ = convert_state_dict(grads, 'official')
    norms = {k: v[term] for k, v in case.meta['grad_norms'].items() if term in v}
    floor = 1e-6 * max(norms.values())
    worst, compared, missing = Row('', 0.0, GRADIENTS), 0, []
    for key, stored in norms.items():
        if stored < floor or key.endswith('.key.bias'):
            continue  # mathematically zero
        if key not in official:
            missing.append(key)
            continue
        compared += 1
        difference = abs(float(official[key].double().norm()) - stored) / stored
        worst = max(worst, Row(key, difference, _tolerance(key)), key=_share)
    rows = [Row(f'grad_norms {term}', worst.difference if not missing else np.inf, worst.tolerance,
                f'relative, {compared} parameters, nearest its tolerance: {worst.stage}'
                + (f'; missing {missing[:3]}' if missing else ''))]
    samples = [case.compare(name, official[name.split('/', 1)[1]].cpu().numpy(),
                            max(_tolerance(name), GRADIENT_SAMPLES), relative=True)
               for name in case.names(f'grad.{term}/')
               if norms[name.split('/', 1)[1]] > floor and not name.endswith('.key.bias')]
    if samples:
        worst = max(samples, key=_share)
        rows.append(Row(f'grad samples {term}', worst.difference, worst.tolerance,
                        f"relative to the largest, {len(samples)} parameters, nearest its "
                        f"tolerance: {worst.stage.split('/', 1)[1]}"))
    return rows
