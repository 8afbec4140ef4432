"""Training pipeline of a fine-tuning: the base config's own, or the published one."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from glip_mm.apis.suite import test_pipeline_of
from glip_mm.datasets.meta_keys import TRAIN_META_KEYS
from glip_mm.evaluation.preflight.pipeline_order import loads_boxes, order_fault
from glip_mm.registry import SCOPE, type_name

#: Transforms that only captions have.
OF_CAPTIONS = ('FilterPseudoBoxes', 'PackCaptions', 'ReplaceCaption', 'GreenlightSpans')
#: Steps of test pipelines that say how images look; others but :data:`ABOUT_TESTS` are refused.
ABOUT_IMAGES = ('Resize', 'FixScaleResize', 'FixShapeResize', 'ShortSideResize',
                'ResizeShortestEdge', 'Pad')
ABOUT_TESTS = ('LoadAnnotations', 'BuildPrompt', 'RandomFlip', 'PackDetInputs')


def train_pipeline(base: Config, build: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the pipeline of the training images.

    It is that of the base config's detection data if they have ``BuildPrompt``. Otherwise it is
    built: load, annotations, clip, resize, flip, prompt, pack, with the loader and the sizes of the
    base config's tests. A test pipeline itself is none to train with: it loads boxes after the
    image was resized.

    Args:
        base: Config of the model.
        build: Config of ``BuildPrompt``.

    Raises:
        KeyError: If the base config says nowhere how images are read.
        ValueError: If its training pipeline has no usable order, or its test pipeline has a step
            that training could not repeat.
    """
    dataset = (base.get('train_dataloader') or {}).get('dataset') or {}
    for key, pipeline in _pipelines(dataset, 'train_dataloader.dataset'):
        strange = [step for step in pipeline if not isinstance(step, Mapping) or 'type' not in step]
        if strange:
            raise ValueError(f"--config '{base.filename}': {key} has the step {strange[0]!r}: each "
                             "must be a transform, such as dict(type='LoadImage')")
    key, found = next(_detection_pipelines(dataset, 'train_dataloader.dataset'), ('', None))
    if found is None:
        print_log('the config has no training pipeline with BuildPrompt: the published one is '
                  'used, with the image size of its tests', 'current')
        return _published(base, build)
    wrong = order_fault(found)
    if not loads_boxes(found):
        wrong = ("has no LoadAnnotations: add dict(type='LoadAnnotations', with_bbox=True) "
                 'directly after the loading of the image')
    if wrong:
        raise ValueError(f"--config '{base.filename}': {key}: {wrong}")
    return [_adapted(dict(step), build) for step in deepcopy(found)]


def scaling_loader(step: dict[str, Any]) -> dict[str, Any]:
    """Return our loader in place of MMCV's, which clips grey images of 16 bits to white."""
    if type_name(step) == 'LoadImageFromFile':
        step = {**step, 'type': 'LoadImageFromFile', '_scope_': SCOPE}
    return step


def _adapted(step: dict[str, Any], build: Mapping[str, Any]) -> dict[str, Any]:
    kind = type_name(step)
    if kind == 'BuildPrompt':
        return dict(build)
    if kind == 'FlipWithWords':
        # FlipWithWords would exchange words and shift the spans of all names that follow
        return dict(type='RandomFlip', prob=step.get('prob', 0.5))
    if kind == 'PackDetInputs':
        return dict(type=step['type'], meta_keys=TRAIN_META_KEYS)
    return scaling_loader(step)


def _published(base: Config, build: Mapping[str, Any]) -> list[dict[str, Any]]:
    load, *others = [dict(step) for step in test_pipeline_of(base)]
    kinds = [type_name(step) for step in others]
    strange = [kind for kind in kinds if kind not in ABOUT_IMAGES + ABOUT_TESTS]
    if not type_name(load).startswith('LoadImage'):
        strange.insert(0, type_name(load))
    if strange:
        raise ValueError(
            f"--config '{base.filename}' has no training pipeline with BuildPrompt, and its test "
            f'pipeline has the steps {strange}, which a training pipeline might need, too: give it '
            'train_dataloader.dataset.pipeline, such as that of '
            'configs/finetune/glip_swin-t_o365-goldg_odinw.py')
    return [scaling_loader(load), dict(type='LoadAnnotations', with_bbox=True),
            dict(type='glip_mm.ClipBoxes'),
            *(step for step in others if type_name(step) in ABOUT_IMAGES),
            dict(type='RandomFlip', prob=0.5), dict(build),
            dict(type='PackDetInputs', meta_keys=TRAIN_META_KEYS)]


def _detection_pipelines(dataset: Mapping, key: str) -> Iterator[tuple[str, Sequence[dict]]]:
    """Iterate over the pipelines with ``BuildPrompt`` that are not made for captions alone."""
    for place, pipeline in _pipelines(dataset, key):
        kinds = [type_name(step) for step in pipeline]
        if 'BuildPrompt' in kinds and not set(kinds) & set(OF_CAPTIONS):
            yield place, pipeline


def _pipelines(dataset: Mapping, key: str) -> Iterator[tuple[str, Sequence[dict]]]:
    """Iterate over the keys and pipelines of a data set and of those in it."""
    if dataset.get('pipeline'):
        yield f'{key}.pipeline', dataset['pipeline']
    for i, part in enumerate(dataset.get('datasets') or ()):
        yield from _pipelines(part, f'{key}.datasets[{i}]')
    if dataset.get('dataset'):
        yield from _pipelines(dataset['dataset'], f'{key}.dataset')
