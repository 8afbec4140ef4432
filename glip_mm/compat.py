"""Workarounds for versions of third-party packages: one function each, with its reason."""

import functools
import importlib
import importlib.metadata
import importlib.util
import os.path as osp
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from pickle import UnpicklingError
from types import ModuleType
from typing import Any

#: Distributions that provide the module ``mmcv``.
MMCV_DISTRIBUTIONS = ('mmcv', 'onedl-mmcv', 'mmcv-lite')

#: Package -> first version that MMDetection 3.3 refuses, first version that was never tried
#: with it, and the version to pretend.
MMDET_CEILINGS = dict(mmcv=('2.2.0', '2.3.0', '2.1.99'), mmengine=('1.0.0', '1.0.0', '0.99.0'))


def apply_all() -> None:
    """Apply the workarounds that MMDetection's import needs; cheap and idempotent."""
    check_one_mmcv()
    stand_in_for_mmcv_ops()
    import_mmdet()
    replace_pkg_resources()
    allow_resume_checkpoints()
    write_configs_as_values()
    find_our_configs()


def check_one_mmcv() -> None:
    """Refuse an environment with two distributions of MMCV.

    Why: ``mmcv``, ``mmcv-lite`` and ``onedl-mmcv`` write to the same folder. The later one replaces
    the Python code of the earlier one beside its compiled operators, and removing either deletes
    files of both: the rest fails with errors that name neither.

    Raises:
        ImportError: If there are two, or if the files of the only one are missing.
    """
    found = [name for name in MMCV_DISTRIBUTIONS if _is_distribution(name)]
    if len(found) > 1:
        raise ImportError(f"{' and '.join(found)} are both installed and write to the same folder: "
                          f'pip uninstall -y {" ".join(found)} && pip install {found[-1]}')
    if found and importlib.util.find_spec('mmcv.utils') is None:
        raise ImportError(f'files of {found[0]} are missing, as after removing another MMCV: '
                          f'pip install --force-reinstall --no-deps {found[0]}')


def _is_distribution(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def has_mmcv_ops() -> bool:
    """Return whether MMCV has compiled operators."""
    return getattr(importlib.util.find_spec('mmcv._ext'), 'origin', None) is not None


def stand_in_for_mmcv_ops() -> None:
    """Give MMCV's wrappers the operators of :mod:`glip_mm.ops` if it has none compiled.

    Why: ``mmcv-lite`` installs everywhere in seconds, while MMCV with its operators needs a wheel
    made for the exact torch and CUDA versions, or a compiler. MMDetection imports ``mmcv.ops`` in
    many places, whatever it calls of it, and that import fails without ``mmcv._ext``. The
    stand-in has every name; those in :mod:`glip_mm.ops.mmcv_ext` work on any device, all others
    raise a ``NotImplementedError`` that says how to get it. A compiled ``mmcv._ext`` is left alone.
    """
    if 'mmcv._ext' in sys.modules or has_mmcv_ops():
        return

    def find(name: str) -> Any:
        if name.startswith('__'):
            raise AttributeError(name)
        from .ops import mmcv_ext
        if name in mmcv_ext.__all__:
            return getattr(mmcv_ext, name)

        def missing(*args: Any, **kwargs: Any) -> None:
            raise NotImplementedError(
                f"the operator '{name}' needs MMCV with compiled operators, and this one has "
                'none: pip uninstall -y mmcv mmcv-lite && pip install mmcv==2.1.0 (where no wheel '
                'fits it is compiled; docs/installation.md)')

        return missing

    module = ModuleType('mmcv._ext')
    module.__spec__ = ModuleSpec('mmcv._ext', loader=None)
    module.__getattr__ = find  # type: ignore[method-assign]  # as PEP 562 allows
    sys.modules['mmcv._ext'] = module


def load_tokenizer(name: str, local_files_only: bool = False) -> Any:
    """Load a fast tokenizer from a folder or hub name.

    Why: transformers 5 removed ``batch_encode_plus`` and merged the slow and fast classes. Both
    majors agree on ``AutoTokenizer`` and on calling the tokenizer.

    Args:
        name: Folder with a vocabulary, or hub name.
        local_files_only: Whether to never access the hub.

    Returns:
        A ``PreTrainedTokenizerFast``, which gives character offsets.

    Raises:
        OSError: If nothing is found under the name.
        ValueError: If the tokenizer has no fast implementation.
    """
    from transformers import AutoTokenizer

    # an existing folder is never a hub name: without this a broken folder would access the network
    local_files_only = local_files_only or osp.isdir(name)
    tokenizer = AutoTokenizer.from_pretrained(
        str(name), use_fast=True, local_files_only=local_files_only, trust_remote_code=False)
    if not tokenizer.is_fast:
        raise ValueError(f"the tokenizer of '{name}' gives no character offsets: "
                         'use a model with a fast tokenizer')
    return tokenizer


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Suppress the progress bar and the report of unused keys while weights load.

    Why: transformers 5 prints a table of the pooler's keys, which no language model here has, and a
    progress bar for a file that loads in milliseconds. Missing keys are an error of ours anyway.
    """
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def import_mmdet() -> ModuleType:
    """Import MMDetection under any newer MMCV and MMEngine, with a warning instead of an error.

    Why: MMDetection 3.3 asserts at import that mmcv < 2.2.0 and mmengine < 1.0.0, although later
    releases kept everything it uses. During its import they pretend to have an accepted version.

    Returns:
        The module ``mmdet``.

    Raises:
        ImportError: If mmdet, mmcv or mmengine is not installed.
    """
    if 'mmdet' in sys.modules:
        return sys.modules['mmdet']
    from mmengine.utils import digit_version

    with _accepted_versions() as hidden:
        module = importlib.import_module('mmdet')
    for name, version, untried in hidden:
        # forks have no version limits
        if (hasattr(module, f'{name}_maximum_version')
                and digit_version(version) >= digit_version(untried)):
            warnings.warn(f'{name} {version} was never tried with MMDetection '
                          f'{module.__version__}; if something breaks, use one < {untried}',
                          stacklevel=2)
    return module


@contextmanager
def _accepted_versions() -> Iterator[list[tuple[str, str, str]]]:
    from mmengine.utils import digit_version
    hidden = []
    for name, (limit, untried, shown) in MMDET_CEILINGS.items():
        module: Any = importlib.import_module(name)
        if digit_version(module.__version__) >= digit_version(limit):
            hidden.append((name, module.__version__, untried))
            module.__version__ = shown
    try:
        yield hidden
    finally:
        for name, version, _ in hidden:
            vars(sys.modules[name])['__version__'] = version


def allow_resume_checkpoints() -> None:
    """Register the classes in MMEngine's training state with torch's safe loader.

    Why: ``torch.load`` refuses unregistered classes. MMEngine's
    checkpoints hold its log history: ``HistoryBuffer`` objects around NumPy arrays. These and
    nothing more are allowed; the loader stays safe. Call it before loading: a fork's
    ``with safe_globals`` removes them from the list again when it ends.
    """
    import torch

    torch.serialization.add_safe_globals(_plain_data())


@functools.cache
def _plain_data() -> list[Callable | tuple[Callable, str]]:
    import numpy as np
    from mmengine.logging import HistoryBuffer

    functions: list[Any] = [np.zeros(1).__reduce__()[0], np.float64(0).__reduce__()[0]]
    dtypes = {type(np.dtype(kind)) for kind in '?bBhHiIlLqQefd'}
    return [HistoryBuffer, np.ndarray, np.dtype, bytes, *sorted(dtypes, key=str),
            (_history_method, 'builtins.getattr'),
            # a checkpoint written under NumPy 1 names these by their old module, and vice versa
            *((function, f'{module}.multiarray.{function.__name__}')
              for function in functions for module in ('numpy.core', 'numpy._core'))]


def _history_method(owner: type, name: str) -> Any:
    """Replace ``getattr``, by which a pickled ``HistoryBuffer`` refers to its own statistics."""
    from mmengine.logging import HistoryBuffer
    # the class has its methods only after an instance was created
    method = HistoryBuffer()._statistics_methods.get(name)
    if owner is not HistoryBuffer or method is None:
        raise UnpicklingError(f"the checkpoint asks for '{name}' of {owner!r}, which is not part "
                              'of a log history')
    return method


def distribute_without_gpu(config: Any) -> None:
    """Allow several training processes on a machine without a GPU.

    Why: MMEngine's ``pytorch`` launcher selects a CUDA device for any backend, and wraps
    the model for that device. If the process group and the wrapper exist beforehand it does
    neither.

    Args:
        config: Config of the run; ``model_wrapper_cfg`` is set in place.
    """
    import torch
    from mmengine.device import get_device

    if config.get('launcher') != 'pytorch' or get_device() != 'cpu':
        return
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group('gloo')
    config['model_wrapper_cfg'] = {
        **dict(type='MMDistributedDataParallel', broadcast_buffers=False,
               find_unused_parameters=config.get('find_unused_parameters', False)),
        **(config.get('model_wrapper_cfg') or {}), 'device_ids': None}


def import_lvis() -> ModuleType:
    """Import the LVIS API under a NumPy that has no ``np.float``.

    Why: lvis 0.5.3 uses ``np.float``, which NumPy 1.24 removed. The name is restored inside
    ``lvis.eval`` alone; NumPy itself stays as it is.

    Returns:
        The module ``lvis``.

    Raises:
        ImportError: If lvis is not installed.
    """
    import numpy as np

    module = importlib.import_module('lvis')
    evaluation: Any = importlib.import_module('lvis.eval')
    if 'float' not in vars(np) and evaluation.np is np:
        evaluation.np = _NumpyWithFloat('numpy')
    return module


@functools.cache
def load_turbojpeg() -> None:
    """Create the decoder of ``mmcv.imfrombytes(content, backend='turbojpeg')``.

    Why: MMCV 2.1 creates the decoder in ``use_backend`` alone, which would also make it the
    global default; selected for one call, it is ``None`` and no image can be read.

    Raises:
        ImportError: If PyTurboJPEG or the library cannot be loaded.
    """
    from mmcv.image import io, use_backend

    before = io.imread_backend
    try:
        use_backend('turbojpeg')
    except (ImportError, RuntimeError, OSError) as error:
        raise ImportError(
            f"imdecode_backend='turbojpeg' needs libturbojpeg (Debian: libturbojpeg0) and "
            "PyTurboJPEG (pip install 'PyTurboJPEG<2'; from 2.0 on it wants libturbojpeg 3): "
            f"{error}. 'cv2' needs neither") from error
    finally:
        use_backend(before)


class _NumpyWithFloat(ModuleType):
    """NumPy for a module that still uses ``np.float``."""

    float = float

    def __getattr__(self, name: str) -> Any:
        import numpy as np
        return getattr(np, name)


def replace_pkg_resources() -> None:
    """Let MMEngine find installed packages without ``pkg_resources``.

    Why: ``mmengine.utils.is_installed`` and ``get_installed_path`` import ``pkg_resources``, which
    setuptools 82 removed and an environment of Python 3.12 never had. Configs that inherit
    as ``'mmdet::…'`` and MMEngine's model hub depend on them.
    """
    if importlib.util.find_spec('pkg_resources') is not None:
        return
    for name in ('mmengine.utils.package_utils', 'mmengine.utils', 'mmengine.config.config'):
        module: Any = importlib.import_module(name)
        module.is_installed = is_installed
        module.get_installed_path = get_installed_path


def is_installed(package: str) -> bool:
    """Return whether a distribution or a module of this name can be imported."""
    return importlib.util.find_spec(_module_of(package)) is not None


def get_installed_path(package: str) -> str:
    """Return the folder of an installed package.

    Args:
        package: Name of the distribution or module.

    Raises:
        ModuleNotFoundError: If it is not installed.
    """
    spec = importlib.util.find_spec(_module_of(package))
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"package '{package}' is not installed: pip install {package}")
    return osp.dirname(spec.origin)


def _module_of(package: str) -> str:
    try:
        top_level = importlib.metadata.distribution(package).read_text('top_level.txt')
    except importlib.metadata.PackageNotFoundError:
        top_level = None
    return top_level.split()[0] if top_level and top_level.split() else package.replace('-', '_')


def write_configs_as_values() -> None:
    """Let MMEngine write configs whose keys and values are never code.

    Why: ``Config.pretty_text`` does not escape keys, so that a name with a quote broke every
    training at its first checkpoint, and could run code when that config was read. Runners and
    hooks of MMEngine write configs by themselves: no other place reaches all of them.
    """
    from mmengine.config import Config

    from .config_text import config_text

    Config.pretty_text = property(
        lambda config: config_text(config.to_dict(), strict=False),
        doc='Python source of the config.')


def find_our_configs() -> None:
    """Let configs inherit from ours by name: ``_base_ = 'glip_mm::glip/glip_swin-t_o365.py'``.

    Why: MMEngine knows the configs of OpenMMLab's own packages, and of those only installed copies:
    neither of an editable install nor of a clone. Types of ours say their scope, so that none has
    to be added.
    """
    from mmengine.config import Config, utils

    from glip_mm_cli.places import shared_root

    if 'glip_mm' in utils.MODULE2PACKAGE:
        return
    utils.MODULE2PACKAGE['glip_mm'] = 'glip_mm'
    others = Config._get_cfg_path

    def find(name: str, filename: str) -> tuple[str, str | None]:
        package, _, path = name.partition('::')
        if package != 'glip_mm' or not path:
            return others(name, filename)
        return str((shared_root() or Path()) / 'configs' / path), None

    Config._get_cfg_path = staticmethod(find)


def let_gradio_fetch_nothing() -> None:
    """Let Gradio refuse addresses as pictures.

    Why: a client can name an address as its picture, and Gradio fetches it, of any size and from
    any public host. It has no option for it; all of its parts call this function.
    """
    from gradio import Error, processing_utils

    async def refuse(url: str, *_: Any, **__: Any) -> str:
        raise Error('addresses are not fetched: upload the picture')

    processing_utils.async_ssrf_protected_download = refuse


@contextmanager
def single_process() -> Iterator[None]:
    """Make MMEngine's helpers assume a single process.

    Why: metrics and evaluators gather their results from all processes inside ``evaluate``, by
    pickling, and give wrong numbers or wait forever if one process alone has them all. They
    have no option for it; all of them call ``mmengine.dist.utils.is_distributed``.
    """
    from mmengine.dist import utils

    asked = utils.is_distributed
    utils.is_distributed = lambda: False
    try:
        yield
    finally:
        utils.is_distributed = asked
