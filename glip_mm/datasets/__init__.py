"""Data sets of glip_mm. Importing MMDetection's makes them findable through our registries."""

import mmdet.datasets  # noqa: F401

from .bad_sample import BadSample
from .concat_dataset import ConcatDataset
from .description_dataset import DescriptionDataset
from .grounding_dataset import GroundingDataset
from .phrase_datasets import Flickr30kEntitiesDataset, MDETRPhraseDataset
from .remaining_batches import RemainingBatches
from .stream import GroundingStream, StreamBatchSampler, StreamSampler
from .transforms import BuildPrompt, LoadImage
from .zero_shot_dataset import ZeroShotDataset

__all__ = [
    'BadSample', 'BuildPrompt', 'ConcatDataset', 'DescriptionDataset', 'Flickr30kEntitiesDataset',
    'GroundingDataset', 'GroundingStream', 'LoadImage', 'MDETRPhraseDataset', 'RemainingBatches',
    'StreamBatchSampler', 'StreamSampler', 'ZeroShotDataset'
]
