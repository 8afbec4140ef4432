"""Registries of glip_mm: children of MMDetection's, whose modules are found from here by name.

With ``default_scope='glip_mm'`` a bare ``type='GLIP'`` is ours and ``type='FPN'`` falls through to
MMDetection. ``type='glip_mm.GLIP'``, as the shipped configs say it, is ours under any scope.
"""

from collections.abc import Mapping
from typing import Any

from mmdet import registry as mmdet_registry
from mmengine import registry as mmengine_registry
from mmengine.registry import Registry

SCOPE = 'glip_mm'


def type_name(config: Mapping[str, Any]) -> str:
    """Return the ``type`` of a config without its scope; empty if it has none."""
    return str(config.get('type', '')).rpartition('.')[2]


def _child(parent: Registry, location: str, *locations: str) -> Registry:
    return Registry(parent.name, parent=parent, scope=SCOPE, locations=[location, *locations])


MODELS = _child(mmdet_registry.MODELS, 'glip_mm.models')
TASK_UTILS = _child(mmdet_registry.TASK_UTILS, 'glip_mm.models')
DATASETS = _child(mmdet_registry.DATASETS, 'glip_mm.datasets')
DATA_SAMPLERS = _child(mmdet_registry.DATA_SAMPLERS, 'glip_mm.datasets')
TRANSFORMS = _child(mmdet_registry.TRANSFORMS, 'glip_mm.datasets.transforms')
METRICS = _child(mmdet_registry.METRICS, 'glip_mm.evaluation')
EVALUATOR = _child(mmdet_registry.EVALUATOR, 'glip_mm.evaluation')
HOOKS = _child(mmdet_registry.HOOKS, 'glip_mm.engine')
LOOPS = _child(mmdet_registry.LOOPS, 'glip_mm.engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(mmdet_registry.OPTIM_WRAPPER_CONSTRUCTORS, 'glip_mm.engine')
OPTIM_WRAPPERS = _child(mmdet_registry.OPTIM_WRAPPERS, 'glip_mm.engine')
PARAM_SCHEDULERS = _child(mmdet_registry.PARAM_SCHEDULERS, 'glip_mm.engine')
# child of MMEngine's, which finds functions by 'glip_mm.NAME' before any scope is set; MMDetection
# has no such registry
FUNCTIONS = _child(mmengine_registry.FUNCTIONS, 'glip_mm.engine', 'glip_mm.engine.strategies')
RUNNERS = _child(mmengine_registry.RUNNERS, 'glip_mm.engine')
STRATEGIES = _child(mmengine_registry.STRATEGIES, 'glip_mm.engine.strategies')
VISUALIZERS = _child(mmdet_registry.VISUALIZERS, 'glip_mm.visualization.visualizer')

# Nothing of ours is registered below. MMEngine looks for a child of every registry it builds from,
# and warns if the default scope has none or if that says no location.
LOG_PROCESSORS = _child(mmdet_registry.LOG_PROCESSORS, 'glip_mm.registry')
MODEL_WRAPPERS = _child(mmdet_registry.MODEL_WRAPPERS, 'glip_mm.registry')
OPTIMIZERS = _child(mmdet_registry.OPTIMIZERS, 'glip_mm.registry')
RUNNER_CONSTRUCTORS = _child(mmdet_registry.RUNNER_CONSTRUCTORS, 'glip_mm.registry')
VISBACKENDS = _child(mmdet_registry.VISBACKENDS, 'glip_mm.registry')
WEIGHT_INITIALIZERS = _child(mmdet_registry.WEIGHT_INITIALIZERS, 'glip_mm.registry')
