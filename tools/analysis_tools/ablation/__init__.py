"""The ablation in small."""

from .experiment import add_experiment_options, run_experiment
from .report import make_table, report
from .runs import ROOT, Run, lock, run_all

__all__ = ['ROOT', 'Run', 'add_experiment_options', 'lock', 'make_table', 'report', 'run_all',
           'run_experiment']
