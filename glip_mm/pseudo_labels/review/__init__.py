"""Visual review of labels: a sample of drawn images, and statistics of all."""

from .page import make_review
from .statistics import LabelStatistics, PhraseCount, count_labels

__all__ = ['LabelStatistics', 'PhraseCount', 'count_labels', 'make_review']
