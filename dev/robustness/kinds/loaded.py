"""The modules of all kinds, which import what they attack."""

import importlib
from types import ModuleType

from . import NAMES

#: Name -> module.
KINDS: dict[str, ModuleType] = {
    name: importlib.import_module(f'{__package__}.{name}') for name in NAMES}
