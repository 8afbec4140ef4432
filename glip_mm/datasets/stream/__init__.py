"""Mixing data sets, and dealing them to processes in an order that survives interruptions."""

from .grounding_stream import GroundingStream, seeded
from .permutation import mix, permute
from .samplers import StreamBatchSampler, StreamSampler

__all__ = ['GroundingStream', 'StreamBatchSampler', 'StreamSampler', 'mix', 'permute', 'seeded']
