"""Inference, and what the tools call."""

from .export import export_model
from .images import ImageError
from .inferencer import FailedImage, GLIPInferencer
from .model_index import find_model, list_models
from .onnx_inferencer import ONNXInferencer
from .prompts import make_prompt
from .result import GroundingResult

__all__ = [
    'FailedImage', 'GLIPInferencer', 'GroundingResult', 'ImageError', 'ONNXInferencer',
    'export_model', 'find_model', 'list_models', 'make_prompt'
]
