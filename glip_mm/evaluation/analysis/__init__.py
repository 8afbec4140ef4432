"""Analyse test results: matches, errors, calibration. Numbers, no drawing."""

from .analysis import Analysis, analyse
from .results import DatasetResult, Result, read_result

__all__ = ['Analysis', 'DatasetResult', 'Result', 'analyse', 'read_result']
