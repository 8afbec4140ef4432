"""Mixed precision in the data type that suits the device."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import nn

from glip_mm.registry import OPTIM_WRAPPERS

DTYPES = ('auto', 'bfloat16', 'float16')


def has_bfloat16(device: str) -> bool:
    """Return whether a device type computes in bfloat16 natively."""
    if device == 'cuda':
        # Volta and Turing emulate it, slower than float32; Ampere is compute capability 8
        return torch.version.hip is not None or torch.cuda.get_device_capability()[0] >= 8
    if device == 'cpu':
        # other CPUs compute it in float32 with conversions, slower than float32 itself
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return device in ('npu', 'mlu', 'musa')


@OPTIM_WRAPPERS.register_module(name=['AutoAmpOptimWrapper', 'AmpOptimWrapper'])
class AutoAmpOptimWrapper(AmpOptimWrapper):
    """Autocast to bfloat16 where the device has it, to float16 with loss scaling elsewhere.

    A CPU without instructions for bfloat16 trains in float32.

    bfloat16 has the range of float32, so nothing is scaled and no step is skipped. Losses, label
    assignment and region-word logits are float32 in either case; the model takes care of that.
    Unlike MMEngine's ``AmpOptimWrapper`` it also works on a CPU (bfloat16), which the tests use. In
    our scope that name means this class, too: MMDetection's ``tools/train.py --amp`` sets it.

    Args:
        dtype: Data type of autocast: ``'auto'``, ``'bfloat16'`` or ``'float16'``.
        loss_scale: Loss scale for float16: ``'dynamic'``, a fixed scale, or arguments of torch's
            ``GradScaler``.
        use_fsdp: Whether to use the loss scaling of sharded models.
        kwargs: Further arguments of MMEngine's ``OptimWrapper``.

    Raises:
        ValueError: If ``dtype`` has another value, or is float16 on a CPU.
    """

    def __init__(self, dtype: str = 'auto', loss_scale: str | float | dict = 'dynamic',
                 use_fsdp: bool = False, **kwargs: Any) -> None:
        OptimWrapper.__init__(self, **kwargs)  # AmpOptimWrapper's own raises on a CPU
        if dtype not in DTYPES:
            raise ValueError(f"optim_wrapper.dtype is '{dtype}'; it may be {', '.join(DTYPES)}")
        device = get_device()
        if dtype == 'auto':
            dtype = ('bfloat16' if has_bfloat16(device) else
                     'float32' if device == 'cpu' else 'float16')
        if device == 'cpu' and dtype == 'float16':
            raise ValueError("optim_wrapper.dtype is 'float16', which trains on accelerators only: "
                             "use 'auto' or 'bfloat16'")
        self.cast_dtype = getattr(torch, dtype)
        self._scale_update_param = loss_scale if isinstance(loss_scale, (int, float)) else None
        self.loss_scaler = self._scaler(loss_scale, dtype == 'float16', use_fsdp)
        MMLogger.get_current_instance().info(f'mixed precision: {dtype} on {device}')

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast the model's computations; do nothing in float32."""
        plain = self.cast_dtype is torch.float32
        with OptimWrapper.optim_context(self, model) if plain else super().optim_context(model):
            yield

    @staticmethod
    def _scaler(loss_scale: str | float | dict, enabled: bool, use_fsdp: bool) -> Any:
        Scaler: Any = partial(torch.amp.GradScaler, get_device())
        if use_fsdp:
            from torch.distributed.fsdp.sharded_grad_scaler import ShardedGradScaler
            Scaler = ShardedGradScaler
        if not enabled:
            return Scaler(enabled=False)  # passes losses and steps through
        if loss_scale == 'dynamic':
            return Scaler()
        if isinstance(loss_scale, dict):
            return Scaler(**loss_scale)
        if isinstance(loss_scale, (int, float)):
            return Scaler(init_scale=float(loss_scale))
        raise ValueError(f"optim_wrapper.loss_scale is {loss_scale!r}: give 'dynamic', a number or "
                         "GradScaler's arguments")

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load optimizer and loss scale; the data type may differ from the earlier run's."""
        state: dict | None = state_dict.get('loss_scaler')
        if not state or not self.loss_scaler.is_enabled():
            state_dict.pop('loss_scaler', None)
        super().load_state_dict(state_dict)
