"""Configs that come with data, such as the one in a checkpoint: which parts of them are used.

A registry of MMEngine calls whatever a ``type`` names, be it a class of its own, ``os.system`` or a
module that is not imported yet. The user's own files may do so. A config from elsewhere says what
the model is and how images are read, in names of registered classes.
"""

import functools
import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.model import BaseModel
from mmengine.registry import Registry

from glip_mm import registry
from glip_mm.limits import LAYERS, NUMBER
from glip_mm.registry import SCOPE
from glip_mm.text.language_model_files import ASSETS, MINILM

#: Default scopes, in which our classes and MMDetection's are found by their bare names.
SCOPES = (SCOPE, 'mmdet')
#: Steps of image pipelines that read nothing but the image and name no code.
STEPS = frozenset((
    'BuildPrompt', 'ClipBoxes', 'FilterAnnotations', 'FilterPseudoBoxes', 'FixScaleResize',
    'FixShapeResize', 'FlipWithWords', 'GTBoxSubOne_GLIP', 'GreenlightSpans', 'LoadAnnotations',
    'LoadImage', 'LoadImageFromFile', 'MinIoURandomCrop', 'PackCaptions', 'PackDetInputs', 'Pad',
    'PhotoMetricDistortion', 'RandomAffine', 'RandomApply', 'RandomChoice', 'RandomChoiceResize',
    'RandomCrop', 'RandomErasing', 'RandomFlip', 'RandomFlip_GLIP', 'RandomGrayscale',
    'RandomResize', 'RandomShift', 'ReplaceCaption', 'Resize', 'ResizeShortestEdge',
    'ShortSideResize', 'YOLOXHSVRandomAug'))
#: Part of a config -> registries of its classes.
_REGISTRIES = dict(model=('MODELS', 'TASK_UTILS', 'WEIGHT_INITIALIZERS'),
                   optim_wrapper=('OPTIM_WRAPPERS', 'OPTIMIZERS', 'OPTIM_WRAPPER_CONSTRUCTORS'),
                   pipeline=('TRANSFORMS',),
                   test=('DATASETS', 'TRANSFORMS', 'METRICS', 'EVALUATOR'))
#: Modules whose classes are left out: trackers evaluate a setting as code.
_TRACKING = ('mmdet.models.mot', 'mmdet.models.reid', 'mmdet.models.trackers',
             'mmdet.models.task_modules.tracking', 'mmdet.models.tracking_heads')
#: Keys that change how a config is read or built.
_STEERING = ('_base_', '_delete_', 'custom_imports', 'imports')
#: Keys that say where something is read from; what stands there comes with the checkpoint.
_SOURCES = ('backend_args', 'file_client_args', 'pretrained', 'checkpoint')
#: Their ``type`` is a word of their own.
_NO_CLASS = ('model.tuning', 'optim_wrapper.clip_grad')

#: Keys of numbers of layers; a model is built one after another.
_COUNTS = re.compile(r'[._](?:layers|blocks|stages|stacks|(?:dy)?convs|fcs|outs|levels|times|'
                     r'depths?)(?:\[\d+\])*$')


def plain_part(config: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return the part of a config that says what the model is, if it names nothing else.

    These are ``model``, ``optim_wrapper``, ``default_scope``, the image pipelines of training and
    test, and whether tests run in half precision. Hooks, data sets, evaluators and imports are
    left out, and so are weights that the model would start from: those of the checkpoint replace
    them.

    Args:
        config: Plain values, such as :func:`glip_mm.checkpoints.stored_config` reads.
        source: What the config is of, for messages.

    Raises:
        ValueError: If the config has no model, or names something that could run code or read
            other files; the message names key and value.
    """
    try:
        return _plain_part(config, source)
    except RecursionError:
        raise ValueError(f'{source} is nested without end: give its file') from None


def _plain_part(config: Mapping[str, Any], source: str) -> dict[str, Any]:
    model = config.get('model')
    if not isinstance(model, Mapping):
        raise ValueError(f'{source} has no model: give its file')
    scope = _known_scope(config.get('default_scope') or SCOPE, 'default_scope', source)
    own = _known_scope(model.get('_scope_', scope), 'model._scope_', source)
    if _found(str(model.get('type')), 'model', own) != f'{SCOPE}.GLIP':
        raise _refused(source, 'model.type', model.get('type'), "is not 'GLIP' of this package")
    check = functools.partial(_checked, source=source, scope=scope)
    kept = dict(default_scope=scope, model=check(model, 'model', part='model'))
    if config.get('optim_wrapper'):
        kept['optim_wrapper'] = check(config['optim_wrapper'], 'optim_wrapper',
                                      part='optim_wrapper')
    pipeline = config.get('test_pipeline')
    if not pipeline:
        pipeline = next(_pipelines(config.get('test_dataloader')), None)
    if pipeline:
        kept['test_pipeline'] = check_steps(pipeline, 'test_pipeline', source, scope)
    trained = [dict(pipeline=check_steps(steps, 'train_dataloader.dataset.pipeline', source, scope))
               for steps in _pipelines(config.get('train_dataloader'))]
    if trained:
        kept['train_dataloader'] = dict(dataset=dict(datasets=trained))
    if is_half(config):
        kept['test_cfg'] = dict(fp16=True)
    return kept


def is_half(config: Mapping[str, Any]) -> bool:
    """Return whether a config tests in half precision."""
    loop = config.get('test_cfg')
    return isinstance(loop, Mapping) and loop.get('fp16') is True


def _known_scope(scope: Any, key: str, source: str) -> str:
    if scope not in SCOPES:
        raise _refused(source, key, scope, f'is none of {", ".join(SCOPES)}')
    return scope


def check_steps(steps: Any, key: str, source: str, scope: str = SCOPE) -> list[dict[str, Any]]:
    """Return a copy of an image pipeline, if all of its steps are of :data:`STEPS`.

    Args:
        steps: Plain values.
        key: Where they stand, for messages.
        source: What they are of, for messages.
        scope: Default scope of the config.

    Raises:
        ValueError: If a step is another, or they are no list of dicts.
    """
    if not isinstance(steps, (list, tuple)) or not all(
            isinstance(step, Mapping) and 'type' in step for step in steps):
        raise _refused(source, key, steps, 'is no list of steps')
    return list(_checked(steps, key, 'pipeline', source, scope))


def check_test(config: Mapping[str, Any], source: str) -> None:
    """Check that the data sets and metrics of a config's test are of registered classes.

    Args:
        config: Plain values.
        source: What the config is of, for messages.

    Raises:
        ValueError: If it names anything that is not registered.
    """
    scope = _known_scope(config.get('default_scope') or SCOPE, 'default_scope', source)
    loader = config.get('test_dataloader')
    dataset = loader.get('dataset') if isinstance(loader, Mapping) else None
    for key, value in (('test_dataloader.dataset', dataset),
                       ('test_evaluator', config.get('test_evaluator'))):
        try:
            _check_classes(value, key, source, scope)
        except RecursionError:
            raise ValueError(f'{source} is nested without end: give its file') from None


def _check_classes(value: Any, where: str, source: str, scope: str) -> None:
    if isinstance(value, (list, tuple)):
        for i, item in enumerate(value):
            _check_classes(item, f'{where}[{i}]', source, scope)
    elif isinstance(value, Mapping):
        scope = _known_scope(value.get('_scope_', scope), f'{where}._scope_', source)
        if 'type' in value:
            _class_of(value['type'], where, 'test', source, scope)
        for key, item in value.items():
            _check_classes(item, f'{where}.{key}', source, scope)


def check_numbers(config: Mapping[str, Any], key: str, source: str) -> None:
    """Refuse numbers that no model has: too large, or NaN.

    Args:
        config: Plain values.
        key: What they are, for messages.
        source: What the config is of, for messages.

    Raises:
        ValueError: If there is one; the message names key and value.
    """
    for name, value in config.items():
        if isinstance(value, Mapping):
            check_numbers(value, f'{key}.{name}', source)
        elif isinstance(value, (int, float)):
            _check_leaf(value, f'{key}.{name}', source)


def _pipelines(node: Any, depth: int = 0) -> Iterator[Sequence]:
    """Iterate over the pipelines of a data loader or data set, and of the sets that it joins."""
    if not isinstance(node, Mapping) or depth > 8:
        return
    if isinstance(node.get('pipeline'), Sequence) and node['pipeline']:
        yield node['pipeline']
    members = node.get('datasets')
    for member in (node.get('dataset'), *(members if isinstance(members, (list, tuple)) else ())):
        yield from _pipelines(member, depth + 1)


def _checked(value: Any, where: str, part: str, source: str, scope: str) -> Any:
    """Return a copy of a value whose classes are all registered ones."""
    if isinstance(value, Mapping):
        scope = _known_scope(value.get('_scope_', scope), f'{where}._scope_', source)
    check = functools.partial(_checked, part=part, source=source, scope=scope)
    if isinstance(value, (list, tuple)):
        items = [(item, check(item, f'{where}[{i}]')) for i, item in enumerate(value)]
        return type(value)(kept for item, kept in items if kept is not None or item is None)
    if value is None or isinstance(value, (str, int, float)):
        _check_leaf(value, where, source)
        return value
    if not isinstance(value, Mapping):
        raise _refused(source, where, value, 'is no plain value')
    kind = value.get('type')
    found = None
    if 'type' in value and where not in _NO_CLASS:
        found = _class_of(kind, where, part, source, scope)
    if found == 'mmengine.Pretrained':
        return None
    kept = {}
    for key, item in value.items():
        place = f'{where}.{key}'
        if key in _STEERING:
            raise _refused(source, place, item, 'changes how a config is read')
        if key in _SOURCES and not isinstance(item, bool):
            if item is not None and key.endswith('_args'):
                raise _refused(source, place, item, 'says where files are read from')
            continue
        if key == 'constructor' and part == 'optim_wrapper':
            _class_of(item, place, part, source, scope)
        elif key in ('tokenizer', 'name') and found and not found.startswith('mmengine.'):
            if item not in packaged_language_models():
                raise _refused(source, place, item,
                               f'is none of {", ".join(packaged_language_models())}')
        elif key in ('name_variants', 'captions') and isinstance(item, str) or (
                where.endswith('.class_texts') and key == 'knowledge' and item):
            raise _refused(source, place, item, 'is a file beside the config')
        kept[key] = check(item, place)
    return kept


def _check_leaf(value: None | str | float, where: str, source: str) -> None:
    """Refuse what no model has: it would fail far from here, or never end."""
    if isinstance(value, str) and re.search('[\0\ud800-\udfff]', value):
        raise _refused(source, where, ascii(value), 'is no text')
    if value != value:
        raise _refused(source, where, value, 'is no number')
    limit = LAYERS if _COUNTS.search(where) else NUMBER
    if isinstance(value, int) and abs(value) > limit.value:
        raise _refused(source, where, f'{value:.3g}' if abs(value) < 1e300 else 'a number of '
                       f'{value.bit_length()} bits', f'is beyond {limit}')


def _class_of(kind: Any, where: str, part: str, source: str, scope: str) -> str:
    found = _found(kind, part, scope) if isinstance(kind, str) else None
    key = where if where.endswith('.constructor') else f'{where}.type'
    if found is None:
        raise _refused(source, key, kind, 'is no registered class of a model' if part == 'model'
                       else 'is no registered optimizer' if part == 'optim_wrapper'
                       else 'is no registered data set, metric or step' if part == 'test'
                       else 'is no step that only reads or changes an image')
    if part == 'model' and where != 'model' and found in _whole_models():
        raise _refused(source, key, kind, 'is a whole model within a model')
    return found


def _found(name: str, part: str, scope: str) -> str | None:
    """Return ``scope.Name`` of the class that a registry would build; None if it is not listed."""
    first, _, rest = name.rpartition('.')
    known = _classes(part)
    scopes = (SCOPE, 'mmdet', 'mmengine')
    tried = [first] if first else list(scopes[scopes.index(scope):])
    return next((full for each in tried if (full := f'{each}.{rest}') in known), None)


@functools.cache
def _classes(part: str) -> dict[str, type]:
    """Return ``scope.Name`` -> class of all that a part of a config may name."""
    from mmdet.utils import register_all_modules
    register_all_modules(init_default_scope=False)
    for name in ('models', 'datasets', 'engine', 'evaluation'):
        importlib.import_module(f'{SCOPE}.{name}')
    found: dict[str, type] = {}
    for name in _REGISTRIES[part]:
        node: Registry | None = getattr(registry, name)
        while node is not None:
            node.import_from_location()
            found.update((f'{node.scope}.{key}', kind) for key, kind in node.module_dict.items()
                         if isinstance(kind, type))
            node = node.parent
    if part == 'pipeline':
        return {key: kind for key, kind in found.items() if key.rpartition('.')[2] in STEPS}
    return {key: kind for key, kind in found.items()
            if not kind.__module__.startswith(_TRACKING)}


@functools.cache
def _whole_models() -> frozenset[str]:
    return frozenset(key for key, kind in _classes('model').items()
                     if issubclass(kind, BaseModel))


def packaged_language_models() -> list[str]:
    """Return the names of language models whose files need no path and no download."""
    return [*sorted(path.name for path in ASSETS.iterdir() if path.is_dir()), MINILM]


def _refused(source: str, key: str, value: Any, why: str) -> ValueError:
    return ValueError(f'{source} has {key}={str(value)[:80]!r}, which {why}, and is not used: if '
                      'you trust it, save the config to a file and give that')
