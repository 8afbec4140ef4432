"""Labels for people to look at: a sample of pictures, and numbers of all."""

from .page import make_review
from .statistics import LabelStatistics, PhraseCount, count_labels

__all__ = ['LabelStatistics', 'PhraseCount', 'count_labels', 'make_review']
