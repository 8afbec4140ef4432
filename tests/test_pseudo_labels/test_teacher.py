"""One sample that fails costs no other, wherever it fails."""

import builtins

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from glip_mm.models.dense_heads import PredictionSettings
from glip_mm.pseudo_labels import BoxSelection, CaptionPhrases, Teacher
from glip_mm.pseudo_labels.sample import Sample


class Model(torch.nn.Linear):
    """Finds a box in every image that is not 3 pixels wide."""

    def __init__(self):
        super().__init__(1, 1)
        self.test_cfg = PredictionSettings()
        self.batches = []

    def test_step(self, batch, settings):
        self.batches.append([x.shape[-1] for x in batch['inputs']])
        if 3 in self.batches[-1]:
            raise IndexError('of the model')
        if 4 in self.batches[-1]:
            raise RuntimeError('CUDA error: device-side assert triggered')
        found = InstanceData(bboxes=torch.tensor([[0., 0., 2., 2.]]), scores=torch.ones(1),
                             labels=torch.zeros(1, dtype=torch.long))
        return [type('Sample', (), dict(pred_instances=found))] * len(batch['inputs'])


class Pipeline:
    """The name of an image is its width, or the error that it raises."""

    def load(self, image, index):
        if image == 'cv2':
            cv2.resize(np.zeros((0, 0, 3), np.uint8), (0, 0))
        if image in ('MemoryError', 'OverflowError', 'RecursionError', 'ZeroDivisionError'):
            raise getattr(builtins, image)
        return dict(ori_shape=(8, int(image)))

    def pack(self, results, prompt):
        return dict(inputs=torch.zeros(3, 8, results['ori_shape'][1]), data_samples=prompt)


def phrases(caption):
    if caption == 'deep':
        raise RecursionError('maximum recursion depth exceeded')
    return [(caption, (0, len(caption)))]


@pytest.fixture
def teacher():
    return Teacher(Model(), Pipeline(), BoxSelection(), CaptionPhrases(phrases))


def sample(image, caption='cat'):
    return Sample(f'{image}.jpg', caption, image, {})


def test_what_cannot_be_prepared_is_a_reject(teacher):
    for image in ('cv2', 'MemoryError', 'OverflowError', 'RecursionError', 'ZeroDivisionError'):
        found = teacher.prepare(sample(image))
        assert found.cause == 'broken image'
        assert found.detail.startswith('error: ' if image == 'cv2' else f'{image}: ')
    assert teacher.prepare(sample('9', 'deep')).cause == 'broken caption'


def test_what_cannot_be_predicted_is_a_reject(teacher):
    ready = [teacher.prepare(sample(width)) for width in ('9', '3', '8')]
    first, second, third = teacher.label(ready)
    assert (second.cause, second.detail) == ('not predicted', 'IndexError: of the model')
    assert first['filename'] == '9.jpg' and third['filename'] == '8.jpg'
    assert teacher.model.batches == [[9, 3, 8], [9], [3], [8]]


def test_a_device_that_fails_is_no_sample_s_fault(teacher):
    with pytest.raises(RuntimeError, match='CUDA error'):
        teacher.label([teacher.prepare(sample('4'))])
