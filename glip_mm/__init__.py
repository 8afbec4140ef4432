"""GLIP, grounded language-image pre-training, as a plugin of MMDetection.

Importing the package registers its names and opens nothing: no network, no model, no tokenizer.
"""

from .compat import apply_all

apply_all()

from . import registry  # noqa: E402
from .moved import RENAMED, moved_modules  # noqa: E402
from .version import __version__  # noqa: E402

moved_modules({f'glip_mm.{old}': f'glip_mm.{new}' for old, new in RENAMED.items()})

__all__ = ['__version__', 'registry']
