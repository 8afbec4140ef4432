"""Freezes what is not trained, and keeps it so."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from glip_mm.checkpoints.adapters import is_adapter

from .adapters import adapted_parts, add_adapters, reset_adapters
from .modes import MODES, PROMPT_OPTIONS, Mode

if TYPE_CHECKING:
    from glip_mm.models.detectors.glip import GLIP


class Tuning:
    """Tuning mode of a detector, from ``model.tuning`` of its config: what is trained.

    Parameters that are not trained have ``requires_grad=False`` from the moment the detector is
    built; optimizers and distributed wrappers skip them.

    Args:
        config: Name of a mode, see :data:`~glip_mm.models.tuning.MODES`, or a dict with ``type``
            and its options. ``linear_language`` and ``linear_prompt``: ``strict_official``, train
            what the published code really trained, which is ``language`` and ``prompt``.
            ``prompt`` and ``linear_prompt``: ``prompt``, the caption the offset is for (default:
            the first that is trained on), ``one_prompt=False`` to use one offset with any
            caption, ``num_positions``. ``lora``: ``r``, ``alpha``, ``dropout``, ``parts``,
            ``targets`` (see :func:`~glip_mm.models.tuning.adapters.add_adapters`) and ``linear``,
            whether the linear probe's tensors are trained, too.

    Raises:
        ValueError: For an unknown mode or option.
    """

    def __init__(self, config: str | dict) -> None:
        options = dict(config) if isinstance(config, Mapping) else dict(type=config)
        self.name: str = options.pop('type', None)
        if not isinstance(self.name, str) or self.name not in MODES:
            raise ValueError(f'model.tuning is {self.name!r}; it must be one of '
                             f"{', '.join(MODES)}, or a dict with one of them as 'type'")
        self.mode: Mode = MODES[self.name]
        known = self.mode.options
        for key in options:
            if key not in known:
                raise ValueError(f"model.tuning of type '{self.name}' has '{key}'; it knows "
                                 f"{', '.join(known) or 'no options'}")
        self.options = {**known, **options}
        effective = self.mode
        if self.options.get('strict_official'):
            effective = MODES[self.mode.strict_official]
        self.evaluated = effective.evaluated
        self.trained = effective.trained if self.options.get('linear', True) else ()

    def __str__(self) -> str:
        chosen = {k: v for k, v in self.options.items() if v != self.mode.options[k]}
        return ', '.join([self.name, *(f'{k}={v!r}' for k, v in chosen.items())])

    def prompt_table(self, config: dict | None) -> dict | None:
        """Complete the detector's config of the prompt table by what this mode needs."""
        if not self.mode.prompt_table:
            return config
        return {**{key: self.options[key] for key in PROMPT_OPTIONS}, **(config or {})}

    def apply(self, model: 'GLIP') -> None:
        """Freeze a detector that has just been built, and add adapters if this mode has them.

        Args:
            model: A GLIP; changed in place.

        Raises:
            ValueError: If this mode and a part of the model exclude each other.
        """
        if self.mode.prompt_table and model.mlm_head is not None:
            raise ValueError(f"model.tuning='{self.name}' encodes each text once, and "
                             'model.mlm_head masks its words anew in each step: remove one of '
                             'them')
        if self.mode.adapters:
            add_adapters(model, **{k: self.options[k] for k in
                                   ('r', 'alpha', 'dropout', 'parts', 'targets')})
            adapted = adapted_parts(model)
            self.evaluated += tuple(part for part in ('backbone', 'language_model')
                                    if part not in adapted)
        if self.name != 'full':
            for name, param in model.named_parameters():
                param.requires_grad_(is_adapter(name) or name.startswith(self.trained))
            model.language_model.frozen = 'language_model' in self.evaluated
        self.keep_evaluated(model)

    def keep_evaluated(self, model: nn.Module) -> None:
        """Put what stays in evaluation mode back into it, after ``model.train()``."""
        for part in self.evaluated:
            getattr(model, part).eval()
        if self.mode.adapters:  # statistics are weights, too
            for module in model.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()

    def after_init(self, model: nn.Module) -> None:
        """Undo what a part's random initialisation did to the adapters inside it."""
        if self.mode.adapters:
            reset_adapters(model)

    def why_frozen(self, name: str) -> str | None:
        """Name the setting that froze a parameter; ``None`` if it was not this one."""
        trained: tuple[str, ...] = self.trained
        if name.startswith(trained) or is_adapter(name):
            return None
        return f"tuning='{self.name}'"
