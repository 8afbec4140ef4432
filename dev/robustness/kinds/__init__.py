"""Kinds of tries, a module each: ``TITLE``, ``prepare(world)`` and ``make(place)``."""

import importlib
from types import ModuleType

_NAMES = ('odvg', 'coco', 'tsv', 'labelling', 'images', 'prompts', 'checkpoints', 'stored_configs',
          'pretrained', 'predictions', 'labels', 'configs', 'names', 'disks', 'videos')
#: Name -> module.
KINDS: dict[str, ModuleType] = {
    name: importlib.import_module(f'{__name__}.{name}') for name in _NAMES}
