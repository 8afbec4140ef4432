"""A vocabulary as constants: what an exported model knows of its text."""

from typing import NamedTuple

import torch
from torch import Tensor

from glip_mm.models import GLIP
from glip_mm.models.language_models import TextFeatures
from glip_mm.text import Prompt


class FixedVocabulary(NamedTuple):
    """An encoded vocabulary of ``K`` prompts (one, unless it is too long for the text encoder).

    Attributes:
        names: All names, in label order.
        captions: The ``K`` prompts.
        text: Encoded prompts ``[K, L, D]``.
        token_map: ``[K, E, L]`` bool, tokens of each name of a prompt.
        labels: ``[K, E]`` int64, their labels; -1 where a prompt has fewer names.
    """

    names: list[str]
    captions: list[str]
    text: TextFeatures
    token_map: Tensor
    labels: Tensor


@torch.no_grad()
def encode_vocabulary(model: GLIP, prompt: Prompt) -> FixedVocabulary:
    """Encode a prompt once and for all, in as many pieces as the model would predict it.

    Args:
        model: The detector, in evaluation mode.
        prompt: Class names of any number, or a caption.

    Returns:
        Its constants, on the model's device.
    """
    chunks = model.prompts.chunks(prompt, model.test_cfg.max_classes)
    text = model.encode_text([chunk.prompt for chunk in chunks])
    # a copy: the encoder's own tensors may be a cache
    text = TextFeatures(*(part.detach().clone() for part in text))
    token_map = model.prompts.batch_token_map([chunk.prompt for chunk in chunks], text.mask)
    labels = torch.full(token_map.shape[:2], -1, dtype=torch.long)
    for row, chunk in zip(labels, chunks):
        row[:len(chunk.labels)] = chunk.labels
    return FixedVocabulary(prompt.names, [chunk.prompt.caption for chunk in chunks], text,
                           *(t.to(text.mask.device) for t in (token_map, labels)))
