"""Kinds of tries, a module each: ``TITLE``, ``prepare(world)`` and ``make(place)``."""

NAMES = ('odvg', 'coco', 'tsv', 'labelling', 'images', 'prompts', 'checkpoints', 'stored_configs',
         'pretrained', 'predictions', 'labels', 'configs', 'names', 'disks', 'videos', 'programs',
         'requests')
