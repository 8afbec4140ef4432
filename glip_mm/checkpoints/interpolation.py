"""Interpolation of the weights of a base and a fine-tuned model (WiSE-FT, arXiv 2109.01903)."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

#: Number of names that an error lists; the others are only counted.
SHOWN = 5


def interpolate_weights(base: Mapping[str, Tensor], tuned: Mapping[str, Tensor],
                        alpha: float) -> dict[str, Tensor]:
    """Compute ``(1 - alpha) * base + alpha * tuned``, entry by entry.

    Entries that are not floating-point (counters, index tables) are the tuned model's. At ``alpha``
    0 and 1 floating-point entries are exactly those of one side.

    Args:
        base: State dict before tuning.
        tuned: State dict after tuning, with the same names and shapes.
        alpha: 0 is the base, 1 the tuned model; other values extrapolate beyond [0, 1].

    Returns:
        A new state dict, with the dtypes of ``tuned``.

    Raises:
        ValueError: If names or shapes differ; lists them.
    """
    check_same_model(base, tuned)
    mixed = {}
    for name, after in tuned.items():
        before = base[name]
        if not after.is_floating_point() or alpha == 1:
            mixed[name] = after.clone()
        elif alpha == 0:
            mixed[name] = before.to(after.dtype, copy=True)
        else:
            # interpolating in half precision would lose small differences
            value = torch.lerp(before.double(), after.double(), alpha)
            mixed[name] = value.to(after.dtype)
    return mixed


def check_same_model(base: Mapping[str, Tensor], tuned: Mapping[str, Tensor]) -> None:
    """Check that two state dicts have the same names and shapes.

    Raises:
        ValueError: If names or shapes differ; lists them.
    """
    only_base = [k for k in base if k not in tuned]
    only_tuned = [k for k in tuned if k not in base]
    shapes = [f'{k} {tuple(base[k].shape)} against {tuple(tuned[k].shape)}' for k in base
              if k in tuned and base[k].shape != tuned[k].shape]
    parts = [f'{len(found)} {what}: {_few(found)}' for what, found in (
        ('only in the base', only_base), ('only in the tuned model', only_tuned),
        ('of different shapes', shapes)) if found]
    if parts:
        raise ValueError(f'the checkpoints are not of one model, {"; ".join(parts)}; give the '
                         'checkpoint that the tuning started from as the base')


def parse_alphas(text: str) -> list[float]:
    """Parse the interpolation coefficients of the command line.

    Args:
        text: ``'0:1:0.1'`` (first, last, step; the last included) or ``'0,0.5,1'``.

    Raises:
        ValueError: If the text has neither form.

    Example:
        >>> parse_alphas('0:1:0.25'), parse_alphas('0.5,1')
        ([0.0, 0.25, 0.5, 0.75, 1.0], [0.5, 1.0])
    """
    wrong = ValueError(f"alphas '{text}' must be FIRST:LAST:STEP as 0:1:0.1, or numbers "
                       'separated by commas')
    try:
        values = [float(v) for v in text.replace(',', ':').split(':')]
    except ValueError:
        raise wrong from None
    if not all(map(math.isfinite, values)):
        raise wrong
    if ':' not in text:
        return values
    if len(values) != 3 or ',' in text or values[2] <= 0 or values[1] < values[0]:
        raise wrong
    first, last, step = values
    count = int((last - first) / step + 1e-6)
    # multiplied, not accumulated: three times 0.1 is not 0.3
    return [round(first + i * step, 10) for i in range(count + 1)]


def _few(names: list[str]) -> str:
    more = f' and {len(names) - SHOWN} more' if len(names) > SHOWN else ''
    return ', '.join(names[:SHOWN]) + more
