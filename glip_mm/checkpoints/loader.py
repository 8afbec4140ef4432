"""Loading of weights into a model: every key is placed, or an error names those that are not."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.logging import MMLogger
from torch import Tensor, nn

from .adapters import is_adapter
from .convert import normalise_state_dict
from .load_report import LoadReport, few
from .reading import read_checkpoint
from .soundness import check_finite

OPTIONAL_PARTS = {
    'mlm_head.': 'the model has no masked-language head (mlm_head=None)',
    'prompt_table.prompt': 'the prompt of the offset; the model has no prompt table, or one for '
                           'any prompt',
    'prompt_table.': 'the model has no prompt table (prompt_table=None)',
    'contrastive_loss.': 'the model has no contrastive alignment (contrastive_loss=None)',
    'inter_image_loss.': 'the model has no inter-image contrast (inter_image_loss=None)',
}
"""Prefixes of parts that files and models may have or not, and why an entry is dropped."""

Strictness = bool | Sequence[str]
"""True: every entry has its place. False: what fits is taken. Prefixes: what does not fit is left
as it is under these alone."""

_CONSTANTS = ('relative_position_index', 'num_batches_tracked', 'position_ids')


def fit_to_model(state: dict[str, Tensor], model: nn.Module, report: LoadReport,
                 strict: Strictness = True) -> None:
    """Make a state dict in our naming fit a model exactly, in place.

    Optional parts that the model lacks are dropped and reported; those that the file lacks, and
    constants, are taken from the model. So is everything that does not fit where ``strict`` allows
    it.

    Args:
        state: State dict in our naming; changed in place.
        model: A GLIP. Prefixes in its ``optional_checkpoint_parts`` are optional, too.
        report: Report that gains the dropped and the absent keys, and what was left as it was.
        strict: Where everything must fit.

    Raises:
        KeyError: For unexpected keys, for missing ones that the model needs, or if nothing fits.
        ValueError: For tensors of another shape, of whole numbers, or with NaN or infinity.
    """
    wanted = model.state_dict()
    free = free_prefixes(strict)
    optional = dict(OPTIONAL_PARTS)
    optional.update({p: 'the model lacks this optional part'
                     for p in getattr(model, 'optional_checkpoint_parts', ())})
    if not any(map(is_adapter, state)):  # adapters keep their initialisation, all or none
        optional.update({k: '' for k in wanted if is_adapter(k)})
    homeless, missing, wrong, whole = [], [], [], []
    for key in [k for k in state if k not in wanted]:
        why = next((why for part, why in optional.items() if key.startswith(part)), None)
        if why is None and key.endswith(_CONSTANTS):
            why = 'a constant that the model computes'
        if why is None and key.startswith(free):
            why = 'the model has no such entry, and model.strict_load allows that'
        if why is None:
            homeless.append(key)
        else:
            report.dropped[key] = why
            report.num_kept -= 1
            del state[key]
    for key, value in wanted.items():
        if key in state:
            if value.is_floating_point() and not state[key].is_floating_point():
                whole.append(f'{key} ({state[key].dtype})')
            if state[key].shape != value.shape:
                if state[key].numel() == value.numel() == 1:
                    state[key] = state[key].reshape(value.shape)
                elif key.startswith(free):
                    report.left.append(f'{key} ({tuple(state[key].shape)} in the file)')
                    report.num_kept -= 1
                    state[key] = value
                else:
                    wrong.append(f'{key} is {tuple(state[key].shape)} in the file, '
                                 f'{tuple(value.shape)} in the model')
        elif key.endswith(_CONSTANTS):
            state[key] = value
        elif key.startswith(tuple(optional)):
            report.absent.append(key)
            state[key] = value
        elif key.startswith(free):
            report.left.append(key)
            state[key] = value
        else:
            missing.append(key)
    _refuse(homeless, missing, wrong, report)
    if whole:
        raise ValueError(f'checkpoint in {report.naming} naming: {len(whole)} weights are whole '
                         f'numbers, which no weight is: {few(whole)}; quantised weights cannot be '
                         'loaded')
    check_finite(state)
    if report.num_kept <= 0:
        raise KeyError(f'no weight of the checkpoint (in {report.naming} naming) fits the model: '
                       f'model.strict_load={strict!r} would leave the whole model as it is')


def free_prefixes(strict: Strictness) -> tuple[str, ...]:
    """Return the prefixes of what may not fit; all names begin with the empty one.

    Raises:
        ValueError: If ``strict`` is neither a bool nor names prefixes.
    """
    if isinstance(strict, bool):
        return () if strict else ('', )
    prefixes = [strict] if isinstance(strict, str) else strict
    if not isinstance(prefixes, Sequence) or not all(
            isinstance(prefix, str) and prefix for prefix in prefixes):
        raise ValueError(f'model.strict_load={strict!r}: give True, False, or a list of prefixes '
                         "of weights that may be missing, such as ['backbone.']")
    return tuple(prefixes)


def _refuse(homeless: list[str], missing: list[str], wrong: list[str], report: LoadReport) -> None:
    found = f'checkpoint in {report.naming} naming'
    if homeless or missing:
        parts = []
        if homeless:
            parts.append(f'{len(homeless)} keys have no place in the model: {few(homeless)}')
        if missing:
            parts.append(f'{len(missing)} keys of the model are missing: {few(missing)}')
        remedy = ('use the config that belongs to this checkpoint, or name the parts that may '
                  "differ, as in model.strict_load=['backbone.', 'neck.']")
        if any(map(is_adapter, homeless)):
            remedy = ("these are adapters of model.tuning='lora': use that with the same targets, "
                      'or merge them with tools/misc/merge_lora.py')
        raise KeyError(f"{found}: {'; '.join(parts)}; {remedy}")
    if wrong:
        raise ValueError(f"{found} is a checkpoint of another size: {'; '.join(wrong[:5])}"
                         f"{f' and {len(wrong) - 5} more' if len(wrong) > 5 else ''}; use the "
                         'config that belongs to this checkpoint')


def adapt_state_dict(model: nn.Module, state_dict: dict[str, Any],
                     strict: Strictness = True) -> LoadReport:
    """Convert the input of ``_load_from_state_dict`` to a state dict for the model, in place.

    Makes ``load_from=`` and ``Runner.load_checkpoint`` accept every naming and container. MMEngine
    passes the whole container where it finds no ``state_dict``.

    Args:
        model: Detector to load into.
        state_dict: State dict or container; changed in place.
        strict: Where everything must fit, see :func:`fit_to_model`.

    Returns:
        Report of the conversion.

    Raises:
        KeyError: For unexpected or missing keys, see :func:`fit_to_model`.
        ValueError: For tensors of another shape, see :func:`fit_to_model`.
    """
    state, report = normalise_state_dict(state_dict, strict=strict is True)
    fit_to_model(state, model, report, strict)
    state_dict.clear()
    state_dict.update(state)
    if report.naming != 'ours' or report.dropped or report.absent or report.left:
        MMLogger.get_current_instance().info(f'checkpoint: {report}')
    return report


def load_glip_checkpoint(model: nn.Module, checkpoint: str | Path | Mapping[str, Any],
                         use_ema: bool = False) -> LoadReport:
    """Load a released or own checkpoint, as strictly as ``model.strict_load`` says.

    Args:
        model: A GLIP built from the config that belongs to the checkpoint.
        checkpoint: A file, an address, a container or a bare state dict; official,
            MMDetection's or our naming, with or without ``module.``.
        use_ema: Load the averaged weights; see :func:`glip_mm.checkpoints.find_weights`.

    Returns:
        Report of the kept, the dropped and the absent keys.

    Raises:
        FileNotFoundError: If there is no such file.
        KeyError: For unexpected or missing keys.
        ValueError: For an unsafe file, or tensors of another shape.

    Example:
        >>> report = load_glip_checkpoint(model, 'glip_tiny_model_o365_goldg.pth')
        >>> print(report)  # doctest: +SKIP
        745 entries, official naming with 'module.' in 'model': 738 kept, 7 dropped
    """
    if not isinstance(checkpoint, Mapping):
        checkpoint = read_checkpoint(checkpoint)
    strict = getattr(model, 'strict_load', True)
    state, report = normalise_state_dict(checkpoint, use_ema, strict=strict is True)
    fit_to_model(state, model, report, strict)
    model.load_state_dict(state)
    MMLogger.get_current_instance().info(f'checkpoint: {report}')
    return report
