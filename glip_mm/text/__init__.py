"""Text side of GLIP: prompts, and which tokens their entities own. Pure Python and NumPy."""
from .names import clean_name
from .prompt import Entity, Prompt
from .tokens import (char_to_token, entities_without_tokens, positive_map, span_to_tokens,
                     split_names, split_prompt)

__all__ = [
    'Entity', 'Prompt', 'char_to_token', 'clean_name', 'entities_without_tokens', 'positive_map',
    'span_to_tokens', 'split_names', 'split_prompt'
]
