"""Every shipped config means the same under MMDetection's default scope as under ours."""

from functools import cache
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope, Registry

from glip_mm import registry
from glip_mm.registry import HOOKS, MODELS, SCOPE, TRANSFORMS, VISUALIZERS
from tests.test_models.nano import write_tiny_bert

ROOT = Path(__file__).parents[2] / 'configs'
CONFIGS = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob('*/*.py'))
BASES = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob('_base_/*/*.py'))
SCOPES = (SCOPE, 'mmdet')
#: Keys besides ``type`` whose value is the name of a class or function.
NAMES = ('type', 'constructor', 'resize_type', 'runner_type')
REGISTRIES = {name: value for name, value in vars(registry).items() if isinstance(value, Registry)}


def types_in(part, scope=None):
    """Yield the value of each key of :data:`NAMES`, and the ``_scope_`` that it stands in."""
    if isinstance(part, dict):
        scope = part.get('_scope_', scope)
        for key, value in part.items():
            if key in NAMES and isinstance(value, str):
                yield value, scope
            yield from types_in(value, scope)
    elif isinstance(part, (list, tuple)):
        for item in part:
            yield from types_in(item, scope)


@cache
def found(name, scope):
    """Map registries to what they find under a name."""
    classes = {}
    for key, each in REGISTRIES.items():
        with each.switch_scope_and_registry(scope) as there:
            kind = there.get(name)
        if kind is not None:
            classes[key] = kind
    return classes


@pytest.mark.parametrize('path', CONFIGS + BASES)
def test_every_type_is_the_same_under_both_scopes(path):
    names = set(types_in(Config.fromfile(ROOT / path).to_dict()))
    words = {'lora', 'head', 'full', 'linear'}  # model.tuning
    for name, scope in sorted(names - {(word, None) for word in words}, key=str):
        ours, theirs = (found(name, scope or default) for default in SCOPES)
        assert ours, f'{name} is registered nowhere'
        assert ours == theirs, f'{name} is another class under default_scope=mmdet'


def test_a_bare_type_of_ours_would_be_noticed():
    assert found('GLIP', SCOPE) != found('GLIP', 'mmdet')
    assert found('PreflightHook', SCOPE) and not found('PreflightHook', 'mmdet')
    assert found('LoadImageFromFile', SCOPE) != found('LoadImageFromFile', 'mmdet')


@pytest.mark.parametrize('path', CONFIGS)
def test_configs_import_the_package(path):
    config = Config.fromfile(ROOT / path, import_custom_modules=False)
    assert config.custom_imports == dict(imports=['glip_mm'], allow_failed_imports=False)


@pytest.fixture(scope='module')
def bert(tmp_path_factory):
    return write_tiny_bert(tmp_path_factory.mktemp('bert'))


@pytest.mark.parametrize('scope', SCOPES)
def test_parts_build_under_both_scopes(scope, bert):
    """All steps of all pipelines, all hooks, and the quickstart's model."""
    steps, hooks = {}, {}

    def collect(part):
        if isinstance(part, dict):
            for key, value in part.items():
                collect(value)
                if key.endswith('pipeline') and isinstance(value, list):
                    steps.update((str(step), step) for step in value)
        elif isinstance(part, (list, tuple)):
            for item in part:
                collect(item)

    for path in CONFIGS:
        config = Config.fromfile(ROOT / path).to_dict()
        collect(config)
        hooks.update((str(hook), hook) for hook in
                     [*config['default_hooks'].values(), *config.get('custom_hooks', ())])
    with DefaultScope.overwrite_default_scope(scope):
        for step in steps.values():
            TRANSFORMS.build(dict(step))
        VISUALIZERS.build(dict(config['visualizer'], vis_backends=None))
        for hook in hooks.values():
            HOOKS.build(dict(hook))
        model = Config.fromfile(ROOT / 'quickstart/glip_nano_grounding-world.py').model
        model.language_model.update(name=bert, depth=1)
        built = MODELS.build(model)
    assert len(steps) > 30 and len(hooks) > 15
    modules = {type(part).__module__.split('.')[0] for part in (
        built, built.fusion_neck, built.language_model, built.bbox_head)}
    assert modules == {'glip_mm'}
