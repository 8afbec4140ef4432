"""Parameter names of the official release (microsoft/GLIP), without the prefix ``module.``."""

from torch import Tensor

from .patch_merging import to_pixel_order, to_unfold_order
from .rules import NameTable, Rule


def _scalar(value: Tensor) -> Tensor:
    return value.reshape(())


def _vector(value: Tensor) -> Tensor:
    return value.reshape(1)


_STAGE, _LAYER = 'backbone.stages.{i}.', 'backbone.body.layers.{i}.'
_BLOCK, _OFFICIAL_BLOCK = _STAGE + 'blocks.{j}.', _LAYER + 'blocks.{j}.'

_BACKBONE = (
    Rule('backbone.patch_embed.projection.{rest}', 'backbone.body.patch_embed.proj.{rest}'),
    Rule('backbone.patch_embed.norm.{rest}', 'backbone.body.patch_embed.norm.{rest}'),
    Rule(_BLOCK + 'attn.w_msa.{rest}', _OFFICIAL_BLOCK + 'attn.{rest}'),
    Rule(_BLOCK + 'ffn.layers.0.0.{rest}', _OFFICIAL_BLOCK + 'mlp.fc1.{rest}'),
    Rule(_BLOCK + 'ffn.layers.1.{rest}', _OFFICIAL_BLOCK + 'mlp.fc2.{rest}'),
    Rule(_BLOCK + 'norm{n}.{rest}', _OFFICIAL_BLOCK + 'norm{n}.{rest}'),
    Rule(_STAGE + 'downsample.{rest}', _LAYER + 'downsample.{rest}',
         to_ours=to_unfold_order, to_theirs=to_pixel_order),
    Rule('backbone.norm{n}.{rest}', 'backbone.body.norm{n}.{rest}'),
)

_NECK = (
    Rule('neck.lateral_convs.0.conv.{rest}', 'backbone.fpn.fpn_inner2.{rest}'),
    Rule('neck.lateral_convs.1.conv.{rest}', 'backbone.fpn.fpn_inner3.{rest}'),
    Rule('neck.lateral_convs.2.conv.{rest}', 'backbone.fpn.fpn_inner4.{rest}'),
    Rule('neck.fpn_convs.0.conv.{rest}', 'backbone.fpn.fpn_layer2.{rest}'),
    Rule('neck.fpn_convs.1.conv.{rest}', 'backbone.fpn.fpn_layer3.{rest}'),
    Rule('neck.fpn_convs.2.conv.{rest}', 'backbone.fpn.fpn_layer4.{rest}'),
    Rule('neck.fpn_convs.3.conv.{rest}', 'backbone.fpn.top_blocks.p6.{rest}'),
    Rule('neck.fpn_convs.4.conv.{rest}', 'backbone.fpn.top_blocks.p7.{rest}'),
)

_TEXT = (
    Rule('language_model.encoder.{rest}', 'language_backbone.body.model.{rest}'),
    Rule('prompt_table.weight', 'rpn.tunable_linear.weight'),
)

_OURS_LAYER = 'fusion_neck.layers.{k}.'


def _tower(head: str, branches: str, scale_attention: str, fused: bool) -> 'tuple[Rule, ...]':
    """Build the rules of the tower, which the others number flat: one or three modules a block."""
    theirs = head + '.dyhead_tower.{k}.'
    rules = []
    if fused:
        ours, at = _OURS_LAYER + 'attention.', (3, 0)
        rules += [Rule(ours + f'{name}{rest}', theirs + f'b_attn.{name}{rest}', at)
                  for name, rest in (('layer_norm_v', '.{rest}'), ('layer_norm_l', '.{rest}'),
                                     ('gamma_v', ''), ('gamma_l', ''))]
        rules += [Rule(ours + name + '.{rest}', theirs + f'b_attn.attn.{name}.{{rest}}', at)
                  for name in ('v_proj', 'l_proj', 'values_v_proj', 'values_l_proj',
                               'out_v_proj', 'out_l_proj')]
        ours, at = _OURS_LAYER + 'text.', (3, 1)
        rules += [Rule(ours + mine + '.{rest}', theirs + other + '.{rest}', at)
                  for mine, other in (
                      ('query', 'attention.self.query'), ('key', 'attention.self.key'),
                      ('value', 'attention.self.value'),
                      ('attention_output', 'attention.output.dense'),
                      ('attention_norm', 'attention.output.LayerNorm'),
                      ('intermediate', 'intermediate.dense'), ('output', 'output.dense'),
                      ('output_norm', 'output.LayerNorm'))]
    ours, at = _OURS_LAYER + 'conv.', (3, 2) if fused else (1, 0)
    rules += [Rule(ours + mine + '.{rest}', theirs + other + '.{rest}', at)
              for mine, other in (
                  ('branches.{j}.conv', branches + '.{j}.conv'),
                  ('branches.{j}.norm', branches + '.{j}.bn'),
                  ('offset', 'offset'), ('scale_attention', scale_attention),
                  ('activation.fc', 'relu.fc'))]
    return tuple(rules)


def head_rules(head: str, branches: str, scale_attention: str,
               scale_shape_is_vector: bool, fused: bool) -> 'tuple[Rule, ...]':
    """Build the rules of the tower and the prediction layers, alike in both other namings.

    Args:
        head: Prefix of the head, such as ``'rpn.head'``.
        branches: Name of the deformable branches.
        scale_attention: Name of the convolution that weights them.
        scale_shape_is_vector: Whether the level scales have the shape ``(1,)``.
        fused: Whether the tower holds fusion and text layers.
    """
    return _tower(head, branches, scale_attention, fused) + (
        Rule('bbox_head.bbox_pred.{rest}', head + '.bbox_pred.{rest}'),
        Rule('bbox_head.centerness.{rest}', head + '.centerness.{rest}'),
        Rule('bbox_head.text_projection.{rest}', head + '.dot_product_projection_text.{rest}'),
        Rule('bbox_head.log_scale', head + '.log_scale'),
        Rule('bbox_head.bias_lang', head + '.bias_lang'),
        Rule('bbox_head.bias0', head + '.bias0'),
        Rule('bbox_head.scales.{j}.scale', head + '.scales.{j}.scale', to_ours=_scalar,
             to_theirs=_vector if scale_shape_is_vector else _scalar))


def mlm_rules(head: str, writable: bool) -> 'tuple[Rule, ...]':
    """Build the rules of the masked-language head; ``mlm_head.bias`` duplicates its decoder's."""
    ours, theirs = 'mlm_head.', head + '.mlm_head.'
    return tuple(Rule(ours + mine + '.{rest}', theirs + other + '.{rest}', writable=writable)
                 for mine, other in (('dense', 'transform.dense'), ('norm', 'transform.LayerNorm'),
                                     ('decoder', 'decoder')))


DROPPED = {
    r'\.cls_logits\.': 'dead weights: computed, multiplied by zero and frozen in every release',
    r'anchor_generator\.cell_anchors\.': 'constants that the anchor generator computes',
    r'\.resizer\.': 'belongs to the contrastive alignment that no released model uses',
    r'\.contrastive_align_projection_': 'belongs to the contrastive alignment of the released code',
    r'\.loss_evaluator\.': 'belongs to the loss of the released code, not to the model',
    r'\.token_logits\.': 'head of an option that no released model uses',
    r'\.pooler\.': "BERT's pooler is not part of the model",
    r'embeddings\.position_ids$': 'constants that the text encoder computes',
    r'\.mlm_head\.bias$': 'the same tensor as mlm_head.decoder.bias',
}
"""Keys without a home in our models, and why."""
_UNWRITTEN = {r'^prompt_table\.prompt$': 'the official release does not store the prompt of an '
                                         'offset'}


def official_table(fused: bool) -> NameTable:
    """Build the name table of the official release.

    Args:
        fused: Whether the model fuses vision and language (all but GLIP-T (A)).

    Returns:
        Table of names without the prefix ``module.``.
    """
    rules = _BACKBONE + _NECK + _TEXT + head_rules(
        'rpn.head', 'DyConv', 'AttnConv.1', True, fused) + mlm_rules('rpn.head', True)
    return NameTable(rules, DROPPED, _UNWRITTEN)
