"""What the labels of a batch say."""

from collections.abc import Sequence

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from ...text import Prompt


def present_spans(prompt: Prompt, labels: Tensor) -> list[tuple[int, int]]:
    """Where a prompt names the classes or phrases that have boxes."""
    return [span for label in labels.unique().tolist() for span in prompt.entities[label].spans]


def last_labels(gt_instances: Sequence[InstanceData]) -> list[int]:
    """The largest label of each image, -1 without any; a GPU is waited for once."""
    last = [gt.labels.max() if len(gt) else gt.labels.new_full((), -1) for gt in gt_instances]
    return torch.stack(last).tolist() if last else []
