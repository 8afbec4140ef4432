"""Models that users would pick instead, with random weights of the published sizes.

Each is built from the configuration class of transformers with the values of the published
``config.json`` written here; nothing is downloaded. A peer runs on an image tensor and a list of
names, from tokens to logits and boxes; neither preparing the image nor thresholds are included.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

#: Names of one call, and what they say of it.
Chunks = list[list[str]]
#: Number of words whose pieces fit a prompt of 256 tokens, with [CLS] and [SEP].
BERT_TOKENS = 256
SWIN_T = dict(embed_dim=96, depths=[2, 2, 6, 2], num_heads=[3, 6, 12, 24], window_size=7,
              drop_path_rate=0.2)
NANO_SWIN = dict(embed_dim=16, depths=[1, 1, 1, 1], num_heads=[1, 2, 4, 8], window_size=7)


class Peer(NamedTuple):
    """A model to compare with.

    Attributes:
        build: Function that builds it; its argument says whether in the tests' size.
        size: Published ``(height, width)`` of its input, or a photograph's at its resize rule.
        step: Input sizes are rounded down to a multiple of this.
        limit: What limits its vocabulary, for people.
        chunk: Function that splits names into calls, given a counter of BERT's tokens.
        inputs: Function from the names of a call, such a counter's ids and the image to arguments.
    """

    build: Callable[[bool], nn.Module]
    size: tuple[int, int]
    step: int
    limit: str
    chunk: Callable[[Sequence[str], Any], Chunks]
    inputs: Callable[[Sequence[str], Any, Tensor], dict[str, Any]]


def _grounding_dino(nano: bool) -> nn.Module:
    from transformers import BertConfig, GroundingDinoConfig, GroundingDinoForObjectDetection
    return GroundingDinoForObjectDetection(GroundingDinoConfig(**_dino(nano, BertConfig)))


def _mm_grounding_dino(nano: bool) -> nn.Module:
    from transformers import BertConfig, MMGroundingDinoConfig, MMGroundingDinoForObjectDetection
    return MMGroundingDinoForObjectDetection(MMGroundingDinoConfig(
        **_dino(nano, BertConfig), decoder_bbox_embed_share=False, decoder_cls_embed_share=False))


def _dino(nano: bool, bert: Any) -> dict[str, Any]:
    from transformers import SwinConfig
    small = dict(num_hidden_layers=1, hidden_size=64, num_attention_heads=4, intermediate_size=64)
    sizes: dict[str, Any] = dict(num_queries=900, encoder_layers=6, encoder_ffn_dim=2048,
                                 decoder_layers=6, decoder_ffn_dim=2048, d_model=256)
    if nano:
        sizes = dict(num_queries=9, encoder_layers=1, encoder_ffn_dim=32, decoder_layers=2,
                     decoder_ffn_dim=32, d_model=256)
    return dict(sizes, num_feature_levels=4, max_text_len=BERT_TOKENS,
                encoder_attention_heads=8, decoder_attention_heads=8,
                text_config=bert(vocab_size=30522, **(small if nano else {})),
                backbone_config=SwinConfig(**(NANO_SWIN if nano else SWIN_T),
                                           out_indices=[2, 3, 4]))


def _owlv2(nano: bool) -> nn.Module:
    from transformers import Owlv2Config, Owlv2ForObjectDetection
    small = dict(num_hidden_layers=1, hidden_size=64, num_attention_heads=4, intermediate_size=64)
    vision = dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12,
                  num_attention_heads=12)
    text = dict(hidden_size=512, intermediate_size=2048, num_hidden_layers=12,
                num_attention_heads=8)
    return Owlv2ForObjectDetection(Owlv2Config(
        vision_config=dict(small if nano else vision, image_size=96 if nano else 960,
                           patch_size=16),
        text_config=dict(small if nano else text, max_position_embeddings=16),
        projection_dim=64 if nano else 512))


def _omdet_turbo(nano: bool) -> nn.Module:
    from transformers import (
        CLIPTextConfig,
        OmDetTurboConfig,
        OmDetTurboForObjectDetection,
        SwinConfig,
    )
    sizes: dict[str, Any] = dict(num_hidden_layers=12)
    other: dict[str, Any] = dict(num_queries=900, decoder_num_layers=6)
    channels = [192, 384, 768]
    if nano:
        sizes, other = dict(num_hidden_layers=1), dict(num_queries=9, decoder_num_layers=2)
        channels = [32, 64, 128]
    network = OmDetTurboForObjectDetection(OmDetTurboConfig(
        text_config=CLIPTextConfig(hidden_size=512, intermediate_size=2048, num_attention_heads=8,
                                   max_position_embeddings=77, projection_dim=512, **sizes),
        backbone_config=SwinConfig(**(NANO_SWIN if nano else SWIN_T), image_size=640,
                                   out_indices=[2, 3, 4]),
        encoder_in_channels=channels, image_size=640, cache_size=100, **other))
    network.vision_backbone.vision_backbone.register_forward_hook(_channels_last)
    return network


def _channels_last(module: nn.Module, args: Any, output: Any) -> None:
    """Give maps as timm's Swin gives them, which the published model uses, of the same sizes."""
    output.feature_maps = tuple(maps.permute(0, 2, 3, 1) for maps in output.feature_maps)


def _by_tokens(names: Sequence[str], tokenizer: Any) -> Chunks:
    """Fill prompts ``a. b. c.`` with as many names as have room for their tokens."""
    chunks: Chunks = []
    left = 0
    for name in names:
        need = len(tokenizer(f'{name}.', add_special_tokens=False)['input_ids'])
        if need > left:
            chunks.append([])
            left = BERT_TOKENS - 2
        chunks[-1].append(name)
        left -= need
    return chunks


def _whole(names: Sequence[str], tokenizer: Any) -> Chunks:
    return [list(names)]


def _sentence(names: Sequence[str], tokenizer: Any, image: Tensor) -> dict[str, Any]:
    text = tokenizer(' '.join(f'{name}.' for name in names), return_tensors='pt')
    return dict(input_ids=text['input_ids'], attention_mask=text['attention_mask'],
                token_type_ids=torch.zeros_like(text['input_ids']), pixel_values=image,
                pixel_mask=torch.ones_like(image[:, 0], dtype=torch.long))


def _clip_ids(texts: Sequence[str], tokenizer: Any, length: int) -> tuple[Tensor, Tensor]:
    """Make ids and mask ``[texts, length]`` of as many tokens as BERT makes, whose ids CLIP has."""
    ids, mask = (torch.zeros(len(texts), length, dtype=torch.long) for _ in range(2))
    for row, text in enumerate(texts):
        words = tokenizer(text, add_special_tokens=False)['input_ids'][:length - 2]
        words = [49406, *words, 49407]  # begin and end of text
        ids[row, :len(words)] = torch.tensor(words)
        mask[row, :len(words)] = 1
    return ids, mask


def _queries(names: Sequence[str], tokenizer: Any, image: Tensor) -> dict[str, Any]:
    ids, mask = _clip_ids(names, tokenizer, 16)
    return dict(input_ids=ids, attention_mask=mask, pixel_values=image,
                interpolate_pos_encoding=True)


def _task_and_classes(names: Sequence[str], tokenizer: Any, image: Tensor) -> dict[str, Any]:
    classes, classes_mask = _clip_ids(names, tokenizer, 77)
    task, task_mask = _clip_ids([f"Detect {', '.join(names)}."], tokenizer, 77)
    return dict(pixel_values=image, classes_input_ids=classes, classes_attention_mask=classes_mask,
                tasks_input_ids=task, tasks_attention_mask=task_mask,
                classes_structure=torch.tensor([len(names)]))


OURS = (800, 1333)
_TOKENS = '256 tokens, so long vocabularies in chunks, each a whole run'
PEERS = {
    'Grounding DINO-T': Peer(_grounding_dino, OURS, 1, _TOKENS, _by_tokens, _sentence),
    'MM-Grounding-DINO-T': Peer(_mm_grounding_dino, OURS, 1, _TOKENS, _by_tokens, _sentence),
    'OWLv2-B/16': Peer(_owlv2, (960, 960), 16, '16 tokens a name, any number of names', _whole,
                       _queries),
    'OmDet-Turbo (Swin-T)': Peer(
        _omdet_turbo, (640, 640), 32, '77 tokens a name, any number of names; its task prompt is '
        'cut after 77', _whole, _task_and_classes),
}
