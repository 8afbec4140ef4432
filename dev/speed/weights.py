"""Generated weights for benchmarks, with realistic activations."""

import math
import zlib
from collections.abc import Sequence

import torch
from mmdet.structures import DetDataSample
from torch import Tensor, nn

#: Factors of 1/sqrt(fan in), by the suffix of a parameter's name. Large ones make words and regions
#: differ; small ones keep deep residual sums and offsets where trained models have them.
GAINS = {
    'conv.offset.weight': 0.5,
    'text_projection.weight': 30.0,
    'bbox_pred.weight': 3.0,
    'centerness.weight': 3.0,
    'scale_attention.weight': 3.0,
    'attention_output.weight': 0.35,
    'attention.output.dense.weight': 0.35,
    'output.dense.weight': 0.5,
}
PRIOR_BIAS = 'bbox_head.bias0'


def seed_weights(model: nn.Module) -> None:
    """Initialise every parameter from its name alone, independent of order and device.

    Args:
        model: A GLIP of this package; changed in place.
    """
    for name, parameter in model.named_parameters():
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        z = torch.randn(parameter.shape, generator=generator)
        parameter.data.copy_(_value(name, z))


def _value(name: str, z: Tensor) -> Tensor:
    if name.endswith('log_scale'):
        return torch.zeros_like(z)
    if name == PRIOR_BIAS:
        return torch.full_like(z, -4.5)
    if name.endswith('bias_lang') or name.endswith('relative_position_bias_table'):
        return 0.3 * z
    if name.endswith(('gamma_v', 'gamma_l')):
        return (1 + 0.1 * z) / 6
    if name.endswith('embeddings.weight'):
        return 0.02 * z
    if z.dim() >= 2:
        gain = next((g for end, g in GAINS.items() if name.endswith(end)), 1.0)
        return gain * z / math.sqrt(z[0].numel())
    if name.endswith(('.weight', '.scale')):  # normalisations and the scale of a level
        return 1 + 0.1 * z
    return 0.02 * z


@torch.no_grad()
def calibrate(model: nn.Module, images: Tensor, samples: Sequence[DetDataSample],
              candidates: int = 600, threshold: float = 0.05) -> float:
    """Choose the classifier's bias that gives a photograph's usual number of candidates.

    Untrained weights detect everything or nothing, which makes the cost of post-processing
    arbitrary.

    Args:
        model: A GLIP of this package in evaluation mode; its bias is set in place.
        images: ``[1, 3, h, w]``, preprocessed.
        samples: One sample with a prompt.
        candidates: Target number of (anchor, name) pairs above the threshold.
        threshold: Threshold of a name's score.

    Returns:
        Chosen bias.
    """
    from glip_mm.text import Prompt
    prompt = Prompt.from_data_sample(samples[0])
    bias = model.bbox_head.bias0
    bias.zero_()
    levels = model(images, samples, mode='tensor')
    logits = torch.cat([level.logits[0].float() for level in levels])  # [A, L]
    columns = model.prompts.token_map(prompt).to(logits.device)  # [E, L]
    owned = columns.any(dim=1)
    average = columns[owned].float()
    average /= average.sum(dim=1, keepdim=True)
    low, high = -60.0, 20.0
    for _ in range(24):
        middle = (low + high) / 2
        found = ((logits + middle).sigmoid() @ average.T > threshold).sum().item()
        low, high = (low, middle) if found > candidates else (middle, high)
    bias.fill_(low)
    return low
