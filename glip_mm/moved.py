"""Old names of what moved: they work for one release and warn with the new name."""

import importlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any


def moved(old: str, new: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a module whose content moved.

    Args:
        old: name of the module.
        new: name in it -> where it is now, with all its modules.

    Example:
        >>> __getattr__ = moved(__name__, {'nms': 'glip_mm.ops.nms.nms'})
    """
    def __getattr__(name: str) -> Any:
        if name not in new:
            raise AttributeError(f"module '{old}' has no attribute '{name}'")
        module, _, attribute = new[name].rpartition('.')
        warnings.warn(f'{old}.{name} is now {new[name]}', FutureWarning, stacklevel=2)
        return getattr(importlib.import_module(module), attribute)

    return __getattr__
