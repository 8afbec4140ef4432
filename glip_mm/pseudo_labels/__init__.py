"""Grounding data from a teacher model and captioned images (GLIP, section 3.3)."""

from .captioned_images import Shard, find_shards
from .labeller import LostShards, label
from .sample import Sample
from .selection import BoxSelection
from .settings import LabelSettings
from .teacher import Teacher

__all__ = ['BoxSelection', 'LabelSettings', 'LostShards', 'Sample', 'Shard', 'Teacher',
           'find_shards', 'label']
