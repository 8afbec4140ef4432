"""A world of pictograms with names: photos on which drawings of things lie."""

from .vocabulary import PARTS, Kind, Vocabulary, read_vocabulary
from .words import HYPERNYMS, SYNONYMS, Hypernym
from .world import PictogramOptions

__all__ = ['HYPERNYMS', 'PARTS', 'SYNONYMS', 'Hypernym', 'Kind', 'PictogramOptions', 'Vocabulary',
           'read_vocabulary']
