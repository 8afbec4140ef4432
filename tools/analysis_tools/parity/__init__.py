"""Runs cases in the golden format through glip_mm; used by ``check_parity.py`` and the tests."""

from .architecture import build_model, load_keys, seeded_weights
from .golden import GoldenCase, find_cases
from .inference import check_inference
from .table import Row, format_table
from .training import check_training

__all__ = [
    'GoldenCase', 'Row', 'build_model', 'check_inference', 'check_training', 'find_cases',
    'format_table', 'load_keys', 'seeded_weights'
]
