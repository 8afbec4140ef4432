"""One switch for the gradient checkpointing of a detector's parts."""

import inspect

from mmengine.logging import MMLogger

from glip_mm.registry import MODELS


def switch_checkpointing(config: dict, with_cp: bool) -> dict:
    """Set ``with_cp`` of a part that knows it; one that does not is left alone, with a warning.

    Args:
        config: Config of a registered module.
        with_cp: Recompute activations in the backward pass instead of keeping them.

    Returns:
        A copy of the config.
    """
    kind = MODELS.get(config['type']) if isinstance(config['type'], str) else config['type']
    # get() answers None for an unknown type: let build() say what is wrong with it
    if kind is None or any('with_cp' in inspect.signature(base.__init__).parameters
                           for base in kind.__mro__):
        return dict(config, with_cp=with_cp)
    if with_cp:
        MMLogger.get_current_instance().warning(
            f"model.with_cp: {config['type']} has no gradient checkpointing (no argument "
            "'with_cp') and keeps its activations")
    return dict(config)
