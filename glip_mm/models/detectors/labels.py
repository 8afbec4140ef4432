"""Labels of a batch."""

from collections.abc import Sequence

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from glip_mm.text import Prompt


def present_spans(prompt: Prompt, labels: Tensor) -> list[tuple[int, int]]:
    """Return the spans of a prompt that name classes or phrases with boxes."""
    return [span for label in labels.unique().tolist() for span in prompt.entities[label].spans]


def last_labels(gt_instances: Sequence[InstanceData]) -> list[int]:
    """Return the largest label of each image, -1 without any, with one synchronisation."""
    last = [gt.labels.max() if len(gt) else gt.labels.new_full((), -1) for gt in gt_instances]
    return torch.stack(last).tolist() if last else []
