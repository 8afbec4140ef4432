"""Mixing of data sets, and their distribution to processes in a resumable order."""

from .grounding_stream import GroundingStream, seeded
from .permutation import mix, permute
from .samplers import StreamBatchSampler, StreamSampler

__all__ = ['GroundingStream', 'StreamBatchSampler', 'StreamSampler', 'mix', 'permute', 'seeded']
