"""Registries of glip_mm: children of MMDetection's, so its modules are found from here by name.

With ``default_scope='glip_mm'`` a bare ``type='GLIP'`` is ours and ``type='FPN'`` falls through to
MMDetection. With ``default_scope='mmdet'`` write ``type='glip_mm.GLIP'``.
"""

from mmdet import registry as mmdet_registry
from mmengine.registry import Registry

SCOPE = 'glip_mm'


def _child(name: str, parent: Registry, location: str) -> Registry:
    return Registry(name, parent=parent, scope=SCOPE, locations=[location])


MODELS = _child('model', mmdet_registry.MODELS, 'glip_mm.models')
TASK_UTILS = _child('task util', mmdet_registry.TASK_UTILS, 'glip_mm.models')
DATASETS = _child('dataset', mmdet_registry.DATASETS, 'glip_mm.datasets')
DATA_SAMPLERS = _child('data sampler', mmdet_registry.DATA_SAMPLERS, 'glip_mm.datasets')
TRANSFORMS = _child('transform', mmdet_registry.TRANSFORMS, 'glip_mm.datasets.transforms')
METRICS = _child('metric', mmdet_registry.METRICS, 'glip_mm.evaluation')
EVALUATOR = _child('evaluator', mmdet_registry.EVALUATOR, 'glip_mm.evaluation')
HOOKS = _child('hook', mmdet_registry.HOOKS, 'glip_mm.engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(
    'optimizer wrapper constructor', mmdet_registry.OPTIM_WRAPPER_CONSTRUCTORS, 'glip_mm.engine')
VISUALIZERS = _child('visualizer', mmdet_registry.VISUALIZERS, 'glip_mm.visualization')
