"""Data of glip_mm. Importing MMDetection's makes its parts findable through our registries."""

import mmdet.datasets  # noqa: F401

from .bad_sample import BadSample
from .grounding_dataset import GroundingDataset
from .stream import GroundingStream, StreamBatchSampler, StreamSampler
from .transforms import BuildPrompt, LoadImage

__all__ = [
    'BadSample', 'BuildPrompt', 'GroundingDataset', 'GroundingStream', 'LoadImage',
    'StreamBatchSampler', 'StreamSampler'
]
