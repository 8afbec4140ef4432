"""Order of a training pipeline: boxes are loaded before the image is resized or flipped."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.registry import DefaultScope

from glip_mm.registry import TRANSFORMS

#: Transforms that move pixels, and with them the boxes that are loaded by then; subclasses count.
MOVING = frozenset((
    'Resize', 'RandomResize', 'RandomChoiceResize', 'FixScaleResize', 'FixShapeResize',
    'ResizeShortestEdge', 'RandomFlip', 'CenterCrop', 'RandomCrop', 'MinIoURandomCrop',
    'RandomCenterCropPad', 'RandomShift', 'RandomAffine', 'Expand', 'GeomTransform', 'Mosaic',
    'CachedMosaic', 'MixUp', 'CachedMixUp', 'YOLOXMixUp', 'Albu'))
LOADER = 'LoadAnnotations'


def order_fault(pipeline: Sequence[Any]) -> str:
    """Describe what is wrong with the order of a training pipeline.

    Args:
        pipeline: Transforms, or their configs.

    Returns:
        A sentence part that names both steps; empty if nothing is wrong.
    """
    moving = ''
    for position, step in _flat(pipeline):
        names = _class_names(step)
        here = f'step {position} ({names[0]})'
        if LOADER in names:
            return moving and (
                f'{moving} moves the pixels before {here} loads the boxes, as in tests, so that '
                f'boxes would not lie on their objects: put {LOADER} directly after the loading '
                'of the image')
        if not moving and MOVING & set(names):
            moving = here
    return ''


def loads_boxes(pipeline: Sequence[Any]) -> bool:
    """Return whether a step of a pipeline loads boxes."""
    return any(LOADER in _class_names(step) for _, step in _flat(pipeline))


def _flat(pipeline: Sequence[Any], above: str = '') -> Iterator[tuple[str, Any]]:
    """Iterate over the position of each step and the step, also of steps in steps."""
    for i, step in enumerate(pipeline):
        inner = (step.get('transforms') if isinstance(step, Mapping) else
                 getattr(step, 'transforms', None))
        position = f'{above}{i}'
        yield position, step
        if isinstance(inner, (list, tuple)):
            for k, each in enumerate(inner):
                yield from _flat(each if isinstance(each, (list, tuple)) else [each],
                                 f'{position}.{k}.')
        elif inner is not None:
            yield from _flat([inner], f'{position}.')


def _class_names(step: Any) -> list[str]:
    """Return the names of a transform's class and of those that it is derived from."""
    if isinstance(step, Mapping):
        kind = step.get('type', '')
        found: Any = kind
        if isinstance(kind, str):
            with DefaultScope.overwrite_default_scope('glip_mm'):
                found = TRANSFORMS.get(kind)
        if not isinstance(found, type):  # the run itself reports types that nobody knows
            return [str(kind).rpartition('.')[2]]
    else:
        found = type(step)
    return [each.__name__ for each in found.__mro__]
