"""Reading of a data sample's prompt by MMDetection's conventions."""
from collections.abc import Mapping
from functools import partial
from numbers import Integral
from typing import Any

from .names import split_custom_entities
from .prompt import Entity, Prompt
from .spans import check_caption


def read_prompt(sample: Any) -> Prompt:
    """Read the prompt of a data sample, see :meth:`Prompt.from_data_sample`."""
    get = sample.get if hasattr(sample, 'get') else partial(getattr, sample)
    prompt = get('prompt', None)
    if prompt is not None:
        if not isinstance(prompt, Prompt):
            raise TypeError(f"data sample field 'prompt' must be a Prompt, got {prompt!r}; "
                            "plain names or captions go into 'text'")
        return prompt
    text = get('text', None)
    positive = get('tokens_positive', None)
    caption_prompt = get('caption_prompt', None)
    if text is None:
        raise ValueError("the data sample has neither 'prompt' nor 'text'; set "
                         "return_classes=True in the dataset and keep 'text' in the "
                         'meta_keys of PackDetInputs')
    if isinstance(text, Mapping):
        text = list(text.values())
    if isinstance(text, str) and positive is None and get('custom_entities', False):
        text = split_custom_entities(text)
    if not isinstance(text, str):
        if positive is not None:
            raise ValueError("tokens_positive marks phrases of a caption, but 'text' is the "
                             f'list of names {list(text)!r}; give one or the other')
        return Prompt.from_names(text, caption_prompt=caption_prompt)
    if caption_prompt is not None:
        raise ValueError("caption_prompt changes class names, but 'text' is the caption "
                         f'{text!r}; set custom_entities=True or give a list of names')
    if positive is None:
        return Prompt.from_noun_phrases(text)
    if isinstance(positive, Integral):
        if positive != -1:
            raise ValueError('tokens_positive must be -1 (all words) or a list of spans per '
                             f'phrase, got {positive!r}')
        return Prompt.from_all_words(text)
    if isinstance(positive, Mapping):
        return _from_label_spans(text, positive)
    return Prompt.from_caption(text, positive)


def _from_label_spans(caption: str, spans: Mapping[Any, Any]) -> Prompt:
    """Build a prompt from MMDetection's ``{label: spans}``; unlabelled gaps are negatives."""
    known = {int(label): value for label, value in spans.items()}
    if not known:
        check_caption(caption)
        return Prompt(caption, ())
    labels = sorted(known)
    found = dict(zip(labels, Prompt.from_caption(caption, [known[i] for i in labels]).entities))
    return Prompt(caption, tuple(found.get(i, Entity('', ())) for i in range(labels[-1] + 1)))
