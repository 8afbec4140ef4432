"""Cases of the benchmark: images, prompts and captions."""

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor

COCO = (
    'person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, '
    'fire hydrant, stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, '
    'bear, zebra, giraffe, backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, '
    'sports ball, kite, baseball bat, baseball glove, skateboard, surfboard, tennis racket, '
    'bottle, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, '
    'broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, '
    'dining table, toilet, tv, laptop, mouse, remote, keyboard, cell phone, microwave, oven, '
    'toaster, sink, refrigerator, book, clock, vase, scissors, teddy bear, hair drier, '
    'toothbrush').split(', ')
#: Prefixes with which 40 names have about as many tokens as 40 of LVIS.
ADJECTIVES = ('old', 'red', 'small', 'wooden', 'plastic', 'metal', 'green', 'white', 'folding',
              'electric', 'toy', 'paper', 'glass', 'wet', 'broken', 'striped')
#: Number of names per prompt, as published for LVIS.
CHUNK = 40
WORKS = ('coco80', 'names3', 'lvis1203', 'train')


class Case(NamedTuple):
    """A case to measure.

    Attributes:
        work: Kind of work, one of ``WORKS``.
        batch: Number of images.
        size: (height, width) of the image tensor.
        names: Number of names in the vocabulary of ``lvis1203``.
        tokens: Number of tokens in the caption of ``train``.
    """

    work: str
    batch: int
    size: tuple[int, int]
    names: int = 1203
    tokens: int = 256

    @property
    def training(self) -> bool:
        """Return whether this is a training step."""
        return self.work == 'train'

    @property
    def chunked_size(self) -> int:
        """Return the number of names per prompt, or -1."""
        return CHUNK if self.work == 'lvis1203' else -1

    def title(self) -> str:
        """Return a title for tables."""
        what = {'coco80': '80 COCO names', 'names3': '3 names',
                'lvis1203': f'{self.names:,} LVIS-like names in chunks of {CHUNK}',
                'train': f'training step, {self.tokens}-token captions'}[self.work]
        return f'{what}, batch {self.batch}, {self.size[0]} x {self.size[1]}'


def long_vocabulary(count: int) -> list[str]:
    """Make distinct names, about as long as those of LVIS, in a fixed random order.

    Raises:
        ValueError: If there are not enough combinations.
    """
    names = [f'{adjective} {name}' for adjective in ADJECTIVES for name in COCO]
    if not 1 <= count <= len(names):
        raise ValueError(f'--names is {count}; it must be 1 to {len(names)}')
    return random.Random(0).sample(names, count)


def vocabulary(case: Case) -> list[str]:
    """Return the names in a case's prompt."""
    if case.work == 'lvis1203':
        return long_vocabulary(case.names)
    return list(COCO[:3] if case.work == 'names3' else COCO)


def caption_names(tokens: int, count_tokens: Callable[[Sequence[str]], list[int]]) -> list[str]:
    """Make names whose caption has a given number of tokens, with [CLS] and [SEP].

    Args:
        tokens: Number of tokens of the caption.
        count_tokens: Function from texts to their numbers of tokens.

    Raises:
        ValueError: If no such list exists.
    """
    names: list[str] = []
    for name in long_vocabulary(400):
        length = count_tokens(['. '.join([*names, name])])[0]
        if length > tokens - 2:
            continue
        names.append(name)
        left = tokens - 2 - length
        if left == 0:
            return names
        if left < 4:  # a dot and short words that are one token each
            filler = ' '.join('cat dog cow'.split()[:left - 1])
            return [*names, filler] if filler else [*names[:-1], f'{name} x']
    raise ValueError(f'no caption of {tokens} tokens could be made: choose 8 to 256')


def make_images(batch: int, size: tuple[int, int]) -> list[Tensor]:
    """Draw images ``[3, h, w]`` uint8: coloured blobs and some noise."""
    images = []
    for seed in range(batch):
        generator = torch.Generator().manual_seed(seed)
        coarse = torch.rand((1, 3, 12, 20), generator=generator)
        smooth = F.interpolate(coarse, size, mode='bicubic', align_corners=False)[0]
        noise = torch.rand((3, *size), generator=generator)
        images.append((255 * (0.9 * smooth + 0.1 * noise).clamp(0, 1)).to(torch.uint8))
    return images


def make_samples(case: Case, count_tokens: Callable[[Sequence[str]], list[int]],
                 num_boxes: int = 10) -> list[DetDataSample]:
    """Make new data samples in MMDetection's conventions, which both models read."""
    height, width = case.size
    if case.training:
        text = '. '.join(caption_names(case.tokens, count_tokens))
    samples = []
    for seed in range(case.batch):
        meta = dict(img_shape=case.size, ori_shape=case.size, scale_factor=(1.0, 1.0),
                    batch_input_shape=case.size, pad_shape=case.size, img_id=seed)
        if not case.training:
            samples.append(DetDataSample(metainfo=dict(meta, text=tuple(vocabulary(case)))))
            continue
        sample = DetDataSample(metainfo=dict(meta, text=text, custom_entities=True))
        generator = torch.Generator().manual_seed(seed)
        corner = torch.rand((num_boxes, 2), generator=generator) * 0.6
        extent = 0.05 + torch.rand((num_boxes, 2), generator=generator) * 0.3
        scale = torch.tensor([width, height] * 2)
        labels = torch.randint(0, text.count('. ') + 1, (num_boxes,), generator=generator)
        sample.gt_instances = InstanceData(
            bboxes=torch.cat((corner, corner + extent), dim=1) * scale, labels=labels)
        samples.append(sample)
    return samples
