"""Report on test runs: a page for people, a summary for machines."""

from glip_mm.moved import moved_modules

from .page import make_report

__all__ = ['make_report']

moved_modules({f'{__name__}.{name}': f'glip_mm.evaluation.analysis.{name}' for name in (
    'analysis', 'calibration', 'config_datasets', 'errors', 'ground_truth', 'matching',
    'phrase_rows', 'results')})
