"""The ablation in small."""

from .experiment import add_experiment_options, run_experiment
from .report import make_table, report
from .runs import ROOT, Run

__all__ = ['ROOT', 'Run', 'add_experiment_options', 'make_table', 'report', 'run_experiment']
