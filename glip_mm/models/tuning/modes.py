"""The ways to tune a detector: which parameters learn and which parts stay in evaluation mode."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: The published linear probe: box, centerness and region-word outputs, nine tensors. The learned
#: scale of each pyramid level is not among them.
LINEAR = ('bbox_head.bbox_pred.', 'bbox_head.centerness.', 'bbox_head.text_projection.',
          'bbox_head.log_scale', 'bbox_head.bias_lang', 'bbox_head.bias0')
LANGUAGE = ('language_model.',)
PROMPT = ('prompt_table.',)
HEAD = ('fusion_neck.', 'bbox_head.', 'mlm_head.', 'contrastive_loss.', 'inter_image_loss.')

_ENCODERS = ('backbone', 'neck', 'language_model')
_IMAGE_SIDE = ('backbone', 'neck', 'fusion_neck', 'bbox_head')


#: Options of a prompt table, see :class:`~glip_mm.models.language_models.PromptTable`.
PROMPT_OPTIONS = dict(prompt=None, one_prompt=True, num_positions=1000)
#: Options of adapters, see :func:`.adapters.add_adapters`; ``linear``: train the linear probe, too.
LORA_OPTIONS = dict(r=8, alpha=16, dropout=0.0, targets=None, linear=True,
                    parts=('backbone', 'language_model', 'fusion_neck'))
STRICT = dict(strict_official=False)


@dataclass(frozen=True)
class Mode:
    """One way to tune a detector: everything that sets it apart from the others.

    Args:
        trained: Prefixes of the names of trained parameters.
        evaluated: Parts of the detector that stay in evaluation mode: no dropout, no stochastic
            depth, no DropBlock, normalisations with the statistics they have.
        official: Name of the published preset (``SOLVER.TUNING_HIGHLEVEL_OVERRIDE``), if any.
        options: Options of the mode with their defaults.
        prompt_table: an offset to one prompt is learned; ``options`` then include
            :data:`PROMPT_OPTIONS`.
        adapters: low-rank adapters are added; ``options`` then include
            :data:`LORA_OPTIONS`.
        strict_official: Mode that the published code really trained; the option of this name
            chooses it.
        rates: Learning rate and weight decay of ``tools/finetune.py``; None: those of the base
            config.
    """

    trained: tuple[str, ...]
    evaluated: tuple[str, ...]
    official: str = ''
    options: Mapping[str, Any] = field(default_factory=dict)
    prompt_table: bool = False
    adapters: bool = False
    strict_official: str = ''
    rates: tuple[float, float] | None = None


#: ``full`` leaves the parts as their own configs say. ``linear`` keeps the dropout of the fusion,
#: as published. The published code meant v3 and v4 as they are here, but its frozen head took the
#: linear part out again: v3 trained what v1 does, and v4 what v2 does (``strict_official``).
#: A new mode is one entry here, and its rates in ``configs/_base_/tuning/NAME.py``.
MODES: dict[str, Mode] = dict(
    full=Mode(('',), (), 'full'),
    head=Mode(HEAD, _ENCODERS),
    linear=Mode(LINEAR, _ENCODERS, 'linear_prob'),
    language=Mode(LANGUAGE, _IMAGE_SIDE, 'language_prompt_v1'),
    prompt=Mode(PROMPT, (*_IMAGE_SIDE, 'language_model'), 'language_prompt_v2',
                options=PROMPT_OPTIONS, prompt_table=True, rates=(0.05, 0.25)),
    linear_language=Mode(LINEAR + LANGUAGE, _IMAGE_SIDE, 'language_prompt_v3', options=STRICT,
                         strict_official='language'),
    linear_prompt=Mode(LINEAR + PROMPT, (*_IMAGE_SIDE, 'language_model'), 'language_prompt_v4',
                       options={**STRICT, **PROMPT_OPTIONS}, prompt_table=True,
                       strict_official='prompt'),
    lora=Mode(LINEAR, ('neck',), options=LORA_OPTIONS, adapters=True, rates=(2e-4, 0.05)))
