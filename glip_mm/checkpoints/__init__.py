"""Reading, writing and renaming of released and own checkpoints in three namings."""

from .adapters import merge_adapters
from .convert import NAMINGS, convert_state_dict, detect_naming, find_weights, normalise_state_dict
from .download import DownloadError
from .loader import adapt_state_dict, fit_to_model, load_glip_checkpoint
from .model_index import checkpoint_file
from .reading import read_checkpoint, write_checkpoint
from .report import Report
from .stored_config import stored_config

__all__ = [
    'NAMINGS', 'DownloadError', 'Report', 'adapt_state_dict', 'checkpoint_file',
    'convert_state_dict', 'detect_naming', 'find_weights', 'fit_to_model', 'load_glip_checkpoint',
    'merge_adapters', 'normalise_state_dict', 'read_checkpoint', 'stored_config',
    'write_checkpoint'
]
