"""The ways to tune a detector: which parameters learn and which parts stay in evaluation mode."""

from typing import NamedTuple

#: The published linear probe: box, centerness and region-word outputs, nine tensors. The learned
#: scale of each pyramid level is not among them.
LINEAR = ('bbox_head.bbox_pred.', 'bbox_head.centerness.', 'bbox_head.text_projection.',
          'bbox_head.log_scale', 'bbox_head.bias_lang', 'bbox_head.bias0')
LANGUAGE = ('language_model.',)
PROMPT = ('prompt_table.',)
HEAD = ('fusion_neck.', 'bbox_head.', 'mlm_head.', 'contrastive_loss.', 'inter_image_loss.')

_ENCODERS = ('backbone', 'neck', 'language_model')
_IMAGE_SIDE = ('backbone', 'neck', 'fusion_neck', 'bbox_head')


class Mode(NamedTuple):
    """What learns.

    Attributes:
        trained: How names of trained parameters begin.
        evaluated: Parts of the detector that stay in evaluation mode: no dropout, no stochastic
            depth, no DropBlock, normalisations with the statistics they have.
        official: Name of the published preset (``SOLVER.TUNING_HIGHLEVEL_OVERRIDE``), if any.
    """

    trained: tuple[str, ...]
    evaluated: tuple[str, ...]
    official: str = ''


#: ``full`` leaves the parts as their own configs say. ``linear`` keeps the dropout of the fusion,
#: as published. The published code meant v3 and v4 as they are here, but its frozen head took the
#: linear part out again: v3 trained what v1 does, and v4 what v2 does (``strict_official``).
MODES: dict[str, Mode] = dict(
    full=Mode(('',), (), 'full'),
    head=Mode(HEAD, _ENCODERS),
    linear=Mode(LINEAR, _ENCODERS, 'linear_prob'),
    language=Mode(LANGUAGE, _IMAGE_SIDE, 'language_prompt_v1'),
    prompt=Mode(PROMPT, (*_IMAGE_SIDE, 'language_model'), 'language_prompt_v2'),
    linear_language=Mode(LINEAR + LANGUAGE, _IMAGE_SIDE, 'language_prompt_v3'),
    linear_prompt=Mode(LINEAR + PROMPT, (*_IMAGE_SIDE, 'language_model'), 'language_prompt_v4'),
    lora=Mode(LINEAR, ('neck',)))
