"""Prompt tuning: a learned vector for each token position (GLIP, section 5.2)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from glip_mm.registry import MODELS

from .text_features import TextFeatures

#: Room for the prompt in a checkpoint: 64 bytes for each of 256 tokens. The room is fixed because
#: averaged weights copy it tensor by tensor.
PROMPT_BYTES = 16384


@MODELS.register_module()
class PromptTable(nn.Module):
    """Adds row ``i`` of a zero-initialised table to token ``i`` of the encoded text.

    The table is indexed by position, so captions must come in a fixed order (no shuffling).

    Args:
        language_dim: ``D``.
        num_positions: Rows of the table; 1000 in released checkpoints.
        one_prompt: the table belongs to one caption alone, the first that it is trained on.
            Checkpoints then hold that caption, and any other is an error.
        prompt: The caption that it belongs to, if ``one_prompt``.
    """

    prompt: Tensor  # with one_prompt

    def __init__(self, language_dim: int, num_positions: int = 1000, one_prompt: bool = False,
                 prompt: str | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(num_positions, language_dim))
        self.one_prompt = one_prompt
        self._text = ''  # of the buffer, read once: on a GPU reading waits for all its work
        if one_prompt:
            self.register_buffer('prompt', torch.zeros(PROMPT_BYTES, dtype=torch.uint8))
            if prompt:
                self._record(prompt)

    @property
    def belongs_to(self) -> str:
        """The caption that the table belongs to, ``''`` if there is none yet."""
        if self.one_prompt and not self._text:
            self._text = _decode(self.prompt)
        return self._text

    def _record(self, caption: str) -> None:
        self._text = _decode(_encode(caption))
        self.prompt.copy_(_encode(caption))

    def _check(self, captions: Sequence[str]) -> None:
        for caption in dict.fromkeys(captions):
            if not self.belongs_to and self.training:
                self._record(caption)
            if self.belongs_to and self.belongs_to != _decode(_encode(caption)):
                raise ValueError(
                    f'the prompt offset belongs to the prompt {self.belongs_to!r} but is used '
                    f'with {caption!r}: give all images that prompt (all classes in a fixed order, '
                    'nothing sampled), or set model.tuning.one_prompt=False')

    def forward(self, text: TextFeatures,
                captions: Sequence[str] | None = None) -> TextFeatures:
        """Shift both text representations, padding included as published.

        Args:
            text: Encoded captions ``[B, L, D]``.
            captions: They themselves.

        Returns:
            Shifted copies.

        Raises:
            ValueError: If the table belongs to another caption.
        """
        if self.one_prompt and captions is not None:
            self._check(captions)
        shift: Tensor = self.weight[:text.hidden.shape[1]]
        return text._replace(hidden=text.hidden + shift, embedded=text.embedded + shift)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args, **kwargs) -> None:
        """Refuse the offset of another prompt; one of no known prompt is taken as ours."""
        key = prefix + 'prompt'
        if self.one_prompt and key in state_dict:
            theirs, ours = _decode(state_dict[key]), self.belongs_to
            if theirs and ours and theirs != ours:
                raise ValueError(f'the prompt offset in the checkpoint belongs to the prompt '
                                 f'{theirs!r}, the one in the model to {ours!r}: set '
                                 'model.tuning.prompt to the former, or start from a checkpoint '
                                 'without an offset')
            state_dict[key] = _encode(theirs or ours)
            self._text = theirs or ours
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _encode(caption: str) -> Tensor:
    """Encode a caption as ``[PROMPT_BYTES]`` bytes; a longer one loses its end."""
    data = caption.encode()[:PROMPT_BYTES]
    return torch.tensor(list(data.ljust(PROMPT_BYTES, b'\0')), dtype=torch.uint8)


def _decode(data: Tensor) -> str:
    return bytes(data.tolist()).rstrip(b'\0').decode(errors='ignore')
