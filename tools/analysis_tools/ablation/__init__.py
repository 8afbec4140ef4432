"""The ablation in small."""

from .report import make_table, report
from .runs import ROOT, Run, lock, run_all

__all__ = ['ROOT', 'Run', 'lock', 'make_table', 'report', 'run_all']
