"""Reading, writing and renaming of released and own checkpoints in three namings."""

from glip_mm.moved import moved

from .adapters import merge_adapters
from .convert import NAMINGS, convert_state_dict, detect_naming, find_weights, normalise_state_dict
from .download import DownloadError
from .load_report import LoadReport
from .loader import adapt_state_dict, fit_to_model, load_glip_checkpoint
from .model_index import checkpoint_file
from .reading import read_checkpoint, write_checkpoint
from .stored_config import stored_config

__all__ = [
    'NAMINGS', 'DownloadError', 'LoadReport', 'adapt_state_dict', 'checkpoint_file',
    'convert_state_dict', 'detect_naming', 'find_weights', 'fit_to_model', 'load_glip_checkpoint',
    'merge_adapters', 'normalise_state_dict', 'read_checkpoint', 'stored_config',
    'write_checkpoint'
]

__getattr__ = moved(__name__, {'Report': 'glip_mm.checkpoints.load_report.LoadReport'})
