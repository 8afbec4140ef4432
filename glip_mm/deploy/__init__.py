"""Models of a fixed vocabulary for other runtimes. Nothing here needs onnx until it is used."""

from .checking import ExportMismatch
from .detector import FixedVocabularyDetector
from .exporting import FORMATS, export
from .metadata import Metadata
from .resizing import resize_steps
from .runner import Detections, ONNXDetector
from .suppression import Suppression, suppress
from .torch_export import load_aot, load_pt2

__all__ = [
    'FORMATS', 'Detections', 'ExportMismatch', 'FixedVocabularyDetector', 'Metadata',
    'ONNXDetector', 'Suppression', 'export', 'load_aot', 'load_pt2', 'resize_steps',
    'suppress',
]
