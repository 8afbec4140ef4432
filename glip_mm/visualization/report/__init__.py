"""Report on test runs: a page for people, a summary for machines."""

from .page import make_report

__all__ = ['make_report']
