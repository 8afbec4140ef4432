"""Prompts as the network needs them: pieces that fit the language model, and token maps."""

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple, TypeVar

import torch
from mmengine.logging import MMLogger
from mmengine.structures import InstanceData
from torch import Tensor

from glip_mm.models.bounded_cache import BoundedCache
from glip_mm.models.language_models import BertLanguageModel, TextFeatures
from glip_mm.text import Prompt, positive_map, split_prompt
from glip_mm.text.name_checks import NameProblems, find_name_problems
from glip_mm.text.prompt import GAP

T = TypeVar('T')

#: Prompts remembered: a vocabulary in chunks, or the distinct captions of some batches.
CACHE_SIZE = 4096
#: In training, where drawn prompts never recur: those of some batches.
TRAINING_CACHE_SIZE = 64


class Chunk(NamedTuple):
    """A prompt that fits the language model, and the labels its entities have in the whole."""

    prompt: Prompt
    labels: Tensor


class PromptBatcher:
    """Splits and encodes prompts and maps entities to tokens, remembering what it has seen.

    Args:
        language_model: encoder with its tokenizer and token budget.
    """

    def __init__(self, language_model: BertLanguageModel) -> None:
        self.language_model = language_model
        self._cache = BoundedCache(CACHE_SIZE)
        self._warned: set = set()

    def use(self, language_model: BertLanguageModel) -> None:
        """Encode with another language model from now on."""
        self.language_model = language_model
        self._cache = BoundedCache(CACHE_SIZE)

    def chunks(self, prompt: Prompt, max_classes: int | None = None) -> list[Chunk]:
        """Cut a prompt at its token budget, or after ``max_classes`` names.

        A caption cannot be cut: one that is too long loses its end, with a warning.
        """
        return self._remembered(('chunks', prompt, max_classes),
                                lambda: self._split(prompt, max_classes))

    def _split(self, prompt: Prompt, max_classes: int | None) -> list[Chunk]:
        if prompt.pieces is None:
            return [Chunk(prompt, torch.arange(len(prompt.entities)))]
        budget = self.language_model.max_tokens - 2  # [CLS] and [SEP]
        groups = split_prompt(prompt, self.language_model.count_tokens, budget, max_classes)
        if len(groups) == 1:
            return [Chunk(prompt, torch.arange(len(prompt.entities)))]
        return [Chunk(prompt.select(group), torch.tensor(group)) for group in groups]

    def texts(self, prompt: Prompt) -> list[str]:
        """Return the text of each class name in a prompt; nothing for a caption."""
        return [prompt.caption[begin:end] for begin, end in prompt.pieces or ()]

    def name_problems(self, prompt: Prompt) -> NameProblems:
        """Find class names that the language model reads otherwise than their author meant."""
        tokenizer = self.language_model.tokenizer
        return find_name_problems(prompt, self.texts(prompt), self.language_model.token_ids,
                                  tokenizer.unk_token_id)

    def describe(self, prompt: Prompt) -> str:
        """Describe what the language model reads, for a log."""
        return f'{self.token_map(prompt).shape[1]} tokens: {prompt.caption!r}'

    def encode(self, prompts: Sequence[Prompt]) -> TextFeatures:
        """Encode ``B`` prompts."""
        return self.language_model.encode([p.caption for p in prompts])

    def for_training(self, prompts: Sequence[Prompt], gt_instances: Sequence[InstanceData]
                     ) -> tuple[Sequence[Prompt], Sequence[InstanceData]]:
        """Return prompts and boxes of a batch as they are learned: here, unchanged."""
        return prompts, gt_instances

    def token_map(self, prompt: Prompt) -> Tensor:
        """Map entities to their tokens, ``[E, L]`` bool on the CPU."""
        def owned() -> Tensor:
            owned = positive_map(prompt, self.language_model.offsets(prompt.caption))
            self._warn_without_tokens(prompt, (~owned.any(axis=1)).nonzero()[0].tolist())
            return torch.from_numpy(owned)
        return self._remembered(('map', prompt), owned)

    def batch_token_map(self, prompts: Sequence[Prompt], mask: Tensor) -> Tensor:
        """Stack the token maps of a batch.

        Args:
            prompts: ``B`` prompts.
            mask: ``[B, L]``, real tokens; gives the width.

        Returns:
            ``[B, E, L]`` bool on the CPU, padded with entities that own no token.
        """
        maps = [self.token_map(p) for p in prompts]
        most = max([1, *(len(m) for m in maps)])
        batch = torch.zeros(len(maps), most, mask.shape[1], dtype=torch.bool)
        for row, owned in zip(batch, maps):
            row[:owned.shape[0], :owned.shape[1]] = owned
        return batch

    def _warn_without_tokens(self, prompt: Prompt, labels: Sequence[int]) -> None:
        by_class = prompt.pieces is not None  # where an empty name is one, and no gap
        names = [entity.name for entity in (prompt.entities[i] for i in labels)
                 if (by_class or entity != GAP) and entity.name not in self._warned]
        if names:
            self._warned.update(names)
            MMLogger.get_current_instance().warning(
                f'{names} own no token of the prompt {prompt.caption[:80]!r}... and score 0: '
                f'blank names, or words beyond language_model.max_tokens='
                f'{self.language_model.max_tokens}')

    def _remembered(self, key: Hashable, compute: Callable[[], T]) -> T:
        value = self._cache.get(key)
        if value is None:
            value = compute()
            most = TRAINING_CACHE_SIZE if torch.is_grad_enabled() else None
            self._cache.put(key, value, most=most)
        return value


def by_chunk(chunks: Sequence[Sequence[Chunk]]) -> list[tuple[int, Chunk]]:
    """Order (image, chunk) pairs so that images that share a chunk stand together."""
    longest = max(len(c) for c in chunks)
    return [(i, c[k]) for k in range(longest) for i, c in enumerate(chunks) if k < len(c)]


def by_padded_size(sizes: Sequence[Sequence[int]], divisor: int) -> list[list[int]]:
    """Group images that are padded to the same size, in the order of their first ones.

    Example:
        >>> by_padded_size([(60, 90), (64, 100), (50, 96)], divisor=32)
        [[0, 2], [1]]
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, size in enumerate(sizes):
        groups.setdefault(tuple(-(-side // divisor) for side in size), []).append(index)
    return list(groups.values())


#: Copies of its pyramid that a prompt may need in the network, generously; fusion goes in tiles.
COPIES_OF_PYRAMID = 16
#: Share of a GPU's memory that chunks may take; the model and its optimizer have the rest.
SHARE_OF_MEMORY = 0.25


def chunks_at_once(feats: Sequence[Tensor]) -> int:
    """Choose how many prompts go through the network together.

    On a CPU as many as there are images: a larger batch saves nothing. On a GPU as many as fit a
    share of its memory, which keeps it busy with few images and many chunks: with the same GPU and
    sizes of images always the same number.

    Args:
        feats: Pyramid maps ``[B, C, h, w]``.

    Returns:
        At least ``B``.
    """
    images = len(feats[0])
    if feats[0].device.type != 'cuda':
        return images
    each = COPIES_OF_PYRAMID * sum(x[0].numel() * x.element_size() for x in feats)
    # not the free memory: batches of another size differ in the last bits, and with it two runs
    total = torch.cuda.get_device_properties(feats[0].device).total_memory
    return max(images, int(total * SHARE_OF_MEMORY / each))


def maps_of(maps: Tensor, images: Sequence[int]) -> Tensor:
    """Select images of maps ``[B, C, h, w]``, without a copy of all or of one alone."""
    if list(images) == list(range(len(maps))):
        return maps
    if len(set(images)) == 1:
        return maps[images[0]].expand(len(images), -1, -1, -1)
    return maps[torch.tensor(images).to(maps.device, non_blocking=True)]
