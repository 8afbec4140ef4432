"""Fine-tuning on custom data: splits, few-shot subsets, prompts, and the config of the run."""

from .class_prompts import ClassPrompts, read_class_prompts
from .config import RunSettings, finetune_config, write_config
from .data import folder_splits
from .few_shot import greedy_shots
from .odinw import odinw_rows, odinw_splits
from .open_splits import open_splits
from .results import aggregate, results_table
from .splits import Split, Splits

__all__ = [
    'ClassPrompts', 'RunSettings', 'Split', 'Splits', 'aggregate', 'finetune_config',
    'folder_splits', 'greedy_shots', 'odinw_rows', 'odinw_splits', 'open_splits',
    'read_class_prompts', 'results_table', 'write_config'
]
