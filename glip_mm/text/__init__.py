"""Text side of GLIP: prompts, and the tokens of their entities. Pure Python and NumPy."""
from .caption_prompt import CaptionPrompt
from .knowledge import ClassKnowledge, Knowledge
from .names import clean_name
from .noun_phrases import NounPhraseFinder, find_noun_phrases
from .prompt import Entity, Prompt
from .splitting import split_names, split_prompt
from .tokens import char_to_token, entities_without_tokens, positive_map, span_to_tokens

__all__ = [
    'CaptionPrompt', 'ClassKnowledge', 'Entity', 'Knowledge', 'NounPhraseFinder', 'Prompt',
    'char_to_token', 'clean_name', 'entities_without_tokens', 'find_noun_phrases', 'positive_map',
    'span_to_tokens', 'split_names', 'split_prompt'
]
