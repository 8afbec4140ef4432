"""Old names of what moved: they work for one release and warn with the new name."""

import importlib
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

#: Modules that are called otherwise now: old name -> new name, below ``glip_mm``.
RENAMED = {
    'checkpoints.report': 'checkpoints.load_report',
    'datasets.converters.boxes': 'datasets.boxes',
    'datasets.converters.conversion_report': 'datasets.report',
    'datasets.converters.json_container': 'datasets.json_container',
    'datasets.converters.report': 'datasets.report',
    'datasets.replacement': 'datasets.bad_sample_counter',
    'evaluation.preflight.images': 'evaluation.preflight.image_checks',
    'evaluation.preflight.prompts': 'evaluation.preflight.prompt_checks',
    'finetuning.prompts': 'finetuning.class_prompts',
    'models.language_models.whole_text': 'models.language_models.text_features',
    'models.layers.bilinear_gather': 'ops.bilinear_gather',
    'models.layers.fast_paths': 'ops.fast_paths',
    'models.layers.matrix_products': 'ops.matrix_products',
    'pseudo_labels.export.images': 'pseudo_labels.export.image_folder',
    'pseudo_labels.sources': 'pseudo_labels.captioned_images',
    'text.sources': 'text.language_model_files',
    **{f'visualization.report.{name}': f'evaluation.analysis.{name}' for name in (
        'analysis', 'calibration', 'config_datasets', 'errors', 'ground_truth', 'matching',
        'phrase_rows', 'results')},
}


def moved_modules(new_names: Mapping[str, str]) -> None:
    """Let modules be imported by their old names, with a FutureWarning that says the new one.

    The old name is the new module itself, so that classes are the same by both names.

    Args:
        new_names: Old name of a module -> new name, both in full.

    Example:
        >>> moved_modules({'glip_mm.old': 'glip_mm.version'})
    """
    sys.meta_path.append(_MovedModules(new_names))


class _MovedModules(MetaPathFinder, Loader):

    def __init__(self, new_names: Mapping[str, str]) -> None:
        self.new_names = new_names

    def find_spec(self, fullname: str, path: Sequence[str] | None = None,
                  target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in self.new_names else None

    def exec_module(self, module: ModuleType) -> None:
        old, new = module.__name__, self.new_names[module.__name__]
        # frames of the import system do not count: the level is that of the import statement
        warnings.warn(f'{old} is {new} now; the old name goes with the next release',
                      FutureWarning, stacklevel=2)
        sys.modules[old] = importlib.import_module(new)


def moved(old: str, new: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a module whose content moved.

    Args:
        old: Name of the module.
        new: Name in it -> full name of what it is now.

    Example:
        >>> __getattr__ = moved(__name__, {'nms': 'glip_mm.ops.nms.nms'})
    """
    def __getattr__(name: str) -> Any:
        if name not in new:
            raise AttributeError(f"module '{old}' has no attribute '{name}'")
        module, _, attribute = new[name].rpartition('.')
        warnings.warn(f'{old}.{name} is now {new[name]}', FutureWarning, stacklevel=2)
        return getattr(importlib.import_module(module), attribute)

    return __getattr__
