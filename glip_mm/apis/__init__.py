"""Inference, and what the tools call."""

from .images import ImageError
from .inferencer import FailedImage, GLIPInferencer
from .model_index import find_model, list_models
from .prompts import make_prompt
from .result import GroundingResult

__all__ = [
    'FailedImage', 'GLIPInferencer', 'GroundingResult', 'ImageError', 'find_model', 'list_models',
    'make_prompt'
]
