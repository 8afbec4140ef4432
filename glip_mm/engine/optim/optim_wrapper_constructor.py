"""Constructor of the optimizer with the published parameter groups."""

from typing import Any

from mmengine.logging import MMLogger
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from torch import nn

from glip_mm.registry import OPTIM_WRAPPER_CONSTRUCTORS

from .parameter_groups import Multipliers, format_table, multipliers, plain_name, table_rows

_RULE = ('language_lr', 'backbone_lr', 'bias_lr', 'bias_decay')
_CUSTOM = ('lr_mult', 'decay_mult')


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class GLIPOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Groups a model's parameters by the published rule, and logs the result as a table.

    ``paramwise_cfg`` holds the factors of
    :func:`~glip_mm.engine.optim.parameter_groups.multipliers` as ``language_lr_mult`` (0.1),
    ``backbone_lr_mult`` (1), ``bias_lr_mult`` (2) and ``bias_decay_mult`` (0), and
    ``custom_keys``: parts of names with ``lr_mult`` and ``decay_mult`` that multiply the rule's
    factors; if several match a name the longest counts. There is one group for each pair of
    learning rate and weight decay, not one for each tensor: four in the released models.

    Args:
        optim_wrapper_cfg: Config of the wrapper with its ``optimizer``, which needs ``lr`` and
            ``weight_decay``.
        paramwise_cfg: Factors of the rule, see above.

    Raises:
        ValueError: If a setting is unknown, or the optimizer has no ``lr`` or
            ``weight_decay``.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None) -> None:
        super().__init__(optim_wrapper_cfg, dict(paramwise_cfg or {}))
        # MMEngine applies parameter-wise rules only if this is not empty
        self.paramwise_cfg.setdefault('custom_keys', {})

    def _validate_cfg(self) -> None:
        known = [*(f'{name}_mult' for name in _RULE), 'custom_keys']
        for key in self.paramwise_cfg:
            if key not in known:
                raise ValueError(f"optim_wrapper.paramwise_cfg has '{key}'; "
                                 f"GLIPOptimWrapperConstructor knows {', '.join(known)}")
        for part, factors in self.paramwise_cfg.get('custom_keys', {}).items():
            wrong = sorted(set(factors) - set(_CUSTOM))
            if wrong:
                raise ValueError(f"optim_wrapper.paramwise_cfg.custom_keys['{part}'] has "
                                 f"'{wrong[0]}'; it may have {' and '.join(_CUSTOM)}")
        for key, value in (('lr', self.base_lr), ('weight_decay', self.base_wd)):
            if value is None:
                raise ValueError(f'optim_wrapper.optimizer.{key} is missing: '
                                 'GLIPOptimWrapperConstructor multiplies it')

    def multipliers(self, name: str) -> Multipliers:
        """Return the factors of a parameter under this configuration."""
        lr, decay = multipliers(name, **{rule: self.paramwise_cfg[f'{rule}_mult']
                                         for rule in _RULE if f'{rule}_mult' in self.paramwise_cfg})
        keys = [key for key in self.paramwise_cfg['custom_keys'] if key in plain_name(name)]
        custom = self.paramwise_cfg['custom_keys'][max(keys, key=len)] if keys else {}
        return Multipliers(lr * custom.get('lr_mult', 1.0), decay * custom.get('decay_mult', 1.0))

    def add_params(self, params: list[dict], module: nn.Module, **kwargs: Any) -> None:
        """Append the groups of a model's trainable parameters; each tensor is in one group."""
        groups: dict[Multipliers, dict] = {}
        for name, param in module.named_parameters():
            if not param.requires_grad:
                continue
            factors = self.multipliers(name)
            group = groups.setdefault(factors, dict(
                params=[], lr=self.base_lr * factors.lr, weight_decay=self.base_wd * factors.decay))
            group['params'].append(param)
        if not groups:
            raise ValueError('the model has no trainable parameter: unfreeze a part of it')
        params.extend(groups.values())

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimizer of a model and log its parameter groups.

        Args:
            model: Model, wrapped or not.

        Raises:
            ValueError: If everything is frozen.
        """
        wrapper = super().__call__(model)
        table = format_table(table_rows(getattr(model, 'module', model), wrapper.optimizer))
        MMLogger.get_current_instance().info(f'parameters and how they are trained:\n{table}')
        return wrapper
