"""Prompts of several images in chunks through the network, with as few encodings as possible."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from glip_mm.models.dense_heads.detection_selection import LevelOutput

from .prompt_batch import Chunk, by_chunk, chunks_at_once, maps_of

if TYPE_CHECKING:
    from .glip import GLIP


class GroundedChunks(NamedTuple):
    """Dense outputs of a batch of ``B`` chunks.

    Attributes:
        images: Index of the image of each.
        chunks: The chunks.
        token_map: ``[B, E, L]`` 0/1, tokens of each entity, on the CPU.
        levels: Outputs of all levels.
    """

    images: list[int]
    chunks: list[Chunk]
    token_map: Tensor
    levels: list[LevelOutput]


def ground_chunks(model: 'GLIP', feats: Sequence[Tensor], chunks: Sequence[Sequence[Chunk]],
                  batch: int | None = None) -> Iterator[GroundedChunks]:
    """Ground each chunk in its image.

    Args:
        model: The detector.
        feats: Pyramid maps ``[B, C, h, w]``.
        chunks: Chunks of each of the ``B`` images.
        batch: chunks that go through the network together; None: by the GPU's size.

    Yields:
        Outputs, a batch of chunks at a time.
    """
    pairs = by_chunk(chunks)
    fused = not model.fusion_neck.fuse
    if fused:  # a tower that reads no words is the same for all chunks
        feats = model.fusion_neck(feats)[0]
    batch = batch or chunks_at_once(feats)
    starts = list(range(0, len(pairs), batch))
    for call in range(model.agree_on_calls(len(starts))):
        start = starts[min(call, len(starts) - 1)]
        images = [image for image, _ in pairs[start:start + batch]]
        part = [chunk for _, chunk in pairs[start:start + batch]]
        prompts = [chunk.prompt for chunk in part]
        text = model.encode_text(prompts)
        token_map = model.prompts.batch_token_map(prompts, text.mask)
        levels = model.ground([maps_of(x, images) for x in feats], text, fused).levels
        if call < len(starts):  # others are for the sake of processes that have more
            yield GroundedChunks(images, part, token_map, levels)
