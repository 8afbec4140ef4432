"""Inference API, and the functions behind the command-line tools."""

from glip_mm.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {
    '.checkpoints.model_index': ['find_model', 'list_models'],
    'export': ['export_model'],
    'failures': ['FailedImage'],
    'inferencer': ['GLIPInferencer'],
    'inputs': ['ImageError'],
    'onnx_inferencer': ['ONNXInferencer'],
    'prompts': ['make_prompt'],
    'result': ['GroundingResult'],
    'results': ['Results'],
    '.thresholds': ['Thresholds'],
})
