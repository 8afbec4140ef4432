"""Labels from a teacher model: grounding data of captions (GLIP, section 3.3), boxes of classes."""

from .captioned_images import Shard, find_shards
from .labeller import LostShards, label
from .questions import CaptionPhrases, ClassNames
from .sample import Sample
from .selection import BoxSelection
from .settings import LabelSettings
from .teacher import Teacher

__all__ = ['BoxSelection', 'CaptionPhrases', 'ClassNames', 'LabelSettings', 'LostShards', 'Sample',
           'Shard', 'Teacher', 'find_shards', 'label']
