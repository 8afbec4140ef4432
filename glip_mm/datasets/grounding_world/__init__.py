"""A small world of coloured shapes: detection and grounding data drawn from a seed."""

from .self_training import SelfTrainingOptions, is_new, new_pairs
from .vocabulary import (
                         COLOURS,
                         PATTERNS,
                         SHAPES,
                         SIZES,
                         SYNONYMS,
                         Pair,
                         all_pairs,
                         held_out_pairs,
                         is_held_out,
                         seen_pairs,
)
from .writer import WorldOptions, write_world

__all__ = ['COLOURS', 'PATTERNS', 'SHAPES', 'SIZES', 'SYNONYMS', 'Pair',
           'SelfTrainingOptions', 'WorldOptions', 'all_pairs', 'held_out_pairs', 'is_held_out',
           'is_new', 'new_pairs', 'seen_pairs', 'write_world']
