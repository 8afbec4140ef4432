"""Plain loops that say what the operators compute, and outputs of MMCV's compiled ones."""

import itertools
import math
from pathlib import Path

import numpy as np
import torch

#: See tests/data/mmcv_ops/README.md.
STORED = Path(__file__).parents[1] / 'data' / 'mmcv_ops' / 'outputs.npz'

#: Convolutions: (B, C, O, h, w), kernel, stride, padding, dilation, groups, groups of offsets.
GEOMETRIES = {
    'glip': ((2, 4, 3, 7, 6), (3, 3), (1, 1), (1, 1), (1, 1), 1, 1),
    'strided': ((2, 4, 3, 7, 6), (3, 3), (2, 2), (1, 1), (1, 1), 1, 1),
    'uneven': ((1, 2, 2, 6, 8), (3, 1), (2, 1), (1, 0), (1, 2), 1, 1),
    'dilated': ((1, 2, 2, 9, 9), (3, 3), (1, 2), (2, 1), (2, 2), 1, 1),
    'groups': ((2, 12, 6, 5, 5), (3, 3), (1, 1), (1, 1), (1, 1), 2, 3),
    'depthwise': ((2, 4, 4, 5, 4), (3, 3), (1, 1), (1, 1), (1, 1), 4, 2),
    'pixel': ((1, 4, 2, 1, 1), (3, 3), (1, 1), (1, 1), (1, 1), 1, 2),
}


def arguments(geometry, seed, dtype=torch.float32):
    """Tensors of a convolution: input, offset, mask, weight, bias."""
    (batch, channels, out, height, width), kernel, stride, padding, dilation, groups, deform = (
        geometry)
    size = [(length + 2 * p - d * (k - 1) - 1) // s + 1 for length, k, s, p, d in zip(
        (height, width), kernel, stride, padding, dilation)]
    taps = kernel[0] * kernel[1]
    draw = np.random.RandomState(seed)
    shapes = ((batch, channels, height, width), (batch, 2 * taps * deform, *size),
              (batch, taps * deform, *size), (out, channels // groups, *kernel), (out,))
    tensors = [torch.tensor(draw.standard_normal(shape), dtype=dtype) for shape in shapes]
    return [tensors[0], tensors[1] * 2, tensors[2].sigmoid(), *tensors[3:]]


def convolve(x, offset, mask, weight, bias, stride, padding, dilation, groups, deform):
    """The formula of the modulated deformable convolution, a number at a time."""
    batch, channels, height, width = x.shape
    out_channels, per_group, kernel_h, kernel_w = weight.shape
    out = torch.zeros(batch, out_channels, *mask.shape[-2:], dtype=x.dtype)

    def read(image, y, x_):
        total = 0.
        for row, col in itertools.product((math.floor(y), math.floor(y) + 1),
                                          (math.floor(x_), math.floor(x_) + 1)):
            if 0 <= row < height and 0 <= col < width:
                total = total + image[row, col] * (1 - abs(y - row)) * (1 - abs(x_ - col))
        return total

    for b, o, i, j in itertools.product(*map(range, out.shape)):
        value = bias[o]
        for c, u, v in itertools.product(range(per_group), range(kernel_h), range(kernel_w)):
            channel = o // (out_channels // groups) * per_group + c
            tap = channel // (channels // deform) * kernel_h * kernel_w + u * kernel_w + v
            y = i * stride[0] - padding[0] + u * dilation[0] + offset[b, 2 * tap, i, j].item()
            x_ = j * stride[1] - padding[1] + v * dilation[1] + offset[b, 2 * tap + 1, i, j].item()
            value = value + weight[o, c, u, v] * mask[b, tap, i, j] * read(x[b, channel], y, x_)
        out[b, o, i, j] = value
    return out


def suppress(boxes, scores, threshold, offset):
    """Greedy suppression, a pair at a time, in float32."""
    boxes = boxes.numpy().astype(np.float32)
    order = sorted(range(len(boxes)), key=lambda i: (-float(scores[i]), i))
    area = (boxes[:, 2] - boxes[:, 0] + offset) * (boxes[:, 3] - boxes[:, 1] + offset)
    kept = []
    for i in order:
        for k in kept:
            sides = (np.minimum(boxes[i, 2:], boxes[k, 2:])
                     - np.maximum(boxes[i, :2], boxes[k, :2]) + np.float32(offset)).clip(0)
            inter = sides[0] * sides[1]
            if inter / (area[k] + area[i] - inter) > np.float32(threshold):
                break
        else:
            kept.append(i)
    return kept


def draw_boxes(count, seed, whole=False):
    """Overlapping boxes and scores, many of them equal."""
    draw = np.random.RandomState(seed)
    corner, size = draw.rand(count, 2) * 40, draw.rand(count, 2) * 30 + 1
    boxes = np.concatenate((corner, corner + size), 1).astype(np.float32)
    return (torch.tensor(boxes.round() if whole else boxes),
            torch.tensor(draw.randint(0, 20, count) / 20, dtype=torch.float32))
