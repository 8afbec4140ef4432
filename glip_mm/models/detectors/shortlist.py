"""Coarse to fine over a long vocabulary: names that a small copy of the image does not show go.

The plain idea: all names are scored on the image at ``scale`` of its size, a name by its best
box (score times centerness, as detections are ranked); at full size the ``size`` best names of
each image are looked for, and the others not at all. Names keep their order and labels.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from mmdet.structures import SampleList
from torch import Tensor

from glip_mm.models.dense_heads.detection_selection import LevelOutput, used_columns
from glip_mm.models.dense_heads.prediction_settings import PredictionSettings
from glip_mm.models.dense_heads.score_aggregation import aggregate_scores
from glip_mm.ops.number_format import without_autocast
from glip_mm.text import Prompt

from .chunk_loop import ground_chunks
from .prompt_batch import Chunk

if TYPE_CHECKING:
    from .glip import GLIP


def shortlisted_chunks(model: 'GLIP', images: Tensor, samples: SampleList,
                       settings: PredictionSettings) -> list[list[Chunk]]:
    """Pick the names of each image, and cut them into chunks.

    Args:
        model: The detector.
        images: ``[B, 3, h, w]``, as its backbone reads them.
        samples: Samples with prompts; a caption, or no more names than ``shortlist.size``, is
            taken whole.
        settings: Settings with a shortlist.

    Returns:
        Chunks of each image, with the labels that its names have in the whole vocabulary.
    """
    shortlist = settings.shortlist
    assert shortlist is not None
    prompts = [Prompt.from_data_sample(sample) for sample in samples]
    chunks = {i: model.prompts.chunks(prompt, settings.max_classes)
              for i, prompt in enumerate(prompts)
              if prompt.pieces is None or len(prompt.entities) <= shortlist.size}
    cut = [i for i in range(len(prompts)) if i not in chunks]
    if cut:
        divisor = getattr(model.data_preprocessor, 'pad_size_divisor', 1)
        feats = model.extract_feat(small_copies(images[cut], shortlist.scale, divisor))
        scores = name_scores(model, feats, [prompts[i] for i in cut], settings)
        for i, score in zip(cut, scores):
            kept = score.topk(shortlist.size).indices.sort().values.cpu()
            chunks[i] = [Chunk(chunk.prompt, kept[chunk.labels]) for chunk in model.prompts.chunks(
                prompts[i].select(kept.tolist()), settings.max_classes)]
    return [chunks[i] for i in range(len(prompts))]


def small_copies(images: Tensor, scale: float, divisor: int) -> Tensor:
    """Scale images ``[B, 3, h, w]`` down, and pad them as a data preprocessor does."""
    size = [max(1, round(side * scale)) for side in images.shape[-2:]]
    small = F.interpolate(images, size, mode='bilinear', align_corners=False, antialias=True)
    down, right = (-side % divisor for side in size)
    return F.pad(small, (0, right, 0, down))


def name_scores(model: 'GLIP', feats: Sequence[Tensor], prompts: Sequence[Prompt],
                settings: PredictionSettings) -> list[Tensor]:
    """Score each name of each image's prompt by its best box, ``[E]`` each."""
    assert settings.shortlist is not None
    most = settings.shortlist.chunked_size
    chunks = [model.prompts.chunks(prompt, most if most > 0 else None) for prompt in prompts]
    scores = [feats[0].new_zeros(len(prompt.entities), dtype=torch.float) for prompt in prompts]
    for grounded in ground_chunks(model, feats, chunks, settings.chunk_batch):
        best = best_scores(grounded.levels, grounded.token_map, settings.score_agg)
        for image, chunk, of_names in zip(grounded.images, grounded.chunks, best):
            scores[image][chunk.labels.to(best.device)] = of_names[:len(chunk.labels)]
    return scores


def best_scores(levels: Sequence[LevelOutput], token_map: Tensor, score_agg: str) -> Tensor:
    """Return the best score x centerness of each entity, ``[B, E]``."""
    columns = used_columns(token_map, score_agg)
    owned, columns = (t.to(levels[0].logits.device, non_blocking=True)
                      for t in (token_map[..., columns].float(), columns))
    best = []
    with without_autocast(levels[0].logits.device.type):
        for level in levels:
            scores = aggregate_scores(level.logits[..., columns].float().sigmoid(), owned,
                                      score_agg)
            best.append((scores * level.centerness.float().sigmoid()[..., None]).amax(dim=1))
    return torch.stack(best).amax(dim=0)
