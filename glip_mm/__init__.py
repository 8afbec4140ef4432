"""GLIP, grounded language-image pre-training, as a plugin of MMDetection.

Importing the package registers its names and opens nothing: no network, no model, no tokenizer.
"""

import sys

# ``python -m glip_mm`` imports the package before ``__main__``, which answers without PyTorch
if sys.argv[:1] != ['-m'] or ('-m', 'glip_mm') not in zip(sys.orig_argv, sys.orig_argv[1:]):
    from .compat import apply_all

    apply_all()

    from . import registry
    from .moved import RENAMED, moved_modules
    from .version import __version__

    moved_modules({f'glip_mm.{old}': f'glip_mm.{new}' for old, new in RENAMED.items()})

    __all__ = ['__version__', 'registry']
