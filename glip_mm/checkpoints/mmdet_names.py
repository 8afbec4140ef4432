"""Parameter names of the checkpoints that MMDetection converted or fine-tuned."""

from .official_names import DROPPED, head_rules, mlm_rules
from .rules import NameTable, Rule

_OUTER = (
    Rule('backbone.{rest}', 'backbone.{rest}'),
    Rule('neck.{rest}', 'neck.{rest}'),
    Rule('language_model.encoder.{rest}', 'language_model.language_backbone.body.model.{rest}'),
    # MMDetection has neither part; its converter keeps these names where the source has them
    Rule('prompt_table.weight', 'bbox_head.tunable_linear.weight', writable=False),
) + mlm_rules('bbox_head.head', False)

_UNWRITTEN = {
    r'^mlm_head\.': "MMDetection's GLIP has no masked-language head",
    r'^prompt_table\.': "MMDetection's GLIP has no prompt table",
}


def mmdet_table(fused: bool) -> NameTable:
    """Build the name table of MMDetection's naming.

    Args:
        fused: Whether the model fuses vision and language.

    Returns:
        Table of the names in the files that MMDetection publishes.
    """
    rules = _OUTER + head_rules('bbox_head.head', 'dyconvs', 'attnconv.1', False, fused)
    return NameTable(rules, DROPPED, _UNWRITTEN)
