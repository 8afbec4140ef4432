"""Optional packages of this folder."""

import importlib
from types import ModuleType


def require(name: str) -> ModuleType:
    """Import an optional package.

    Raises:
        ImportError: If it is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"the package '{name}' is needed here and can't be imported ({error}): "
                          'pip install onnx onnxruntime') from error
