"""Lazy exports: packages that import their modules on first access."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def lazy_exports(package: str, exports: Mapping[str, Sequence[str]]
                 ) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Build the functions by which a package's ``__init__`` exports names lazily.

    Args:
        package: ``__name__`` of the package.
        exports: Module, relative to the package -> names that it defines.

    Returns:
        ``__getattr__``, ``__dir__`` and ``__all__`` of the package.

    Example:
        >>> __getattr__, __dir__, __all__ = lazy_exports(__name__, {'files': ['save_image']})
    """
    modules = {name: module for module, names in exports.items() for name in names}

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        return getattr(importlib.import_module(f'.{modules[name]}', package), name)

    return load, lambda: sorted(modules), sorted(modules)
