"""Fully sharded training."""

from typing import Any, Sequence

import torch
from mmengine._strategy.fsdp import FSDP, FSDPStrategy
from mmengine.device import get_device
from torch import nn

from glip_mm.registry import FUNCTIONS, STRATEGIES


@FUNCTIONS.register_module()
def wrap_blocks(module: nn.Module, recurse: bool, nonwrapped_numel: int,
                names: Sequence[str] = ()) -> bool:
    """Shard modules of the named classes as units of their own.

    A unit must be *called*: one whose parameters another module reads, or of which a method other
    than ``forward`` is called (the language model's ``encode``, the head's ``loss``), belongs to
    the unit around it.

    Args:
        module: Candidate.
        recurse: Whether torch asks about the children rather than the module.
        nonwrapped_numel: Parameters not yet in a unit; not looked at.
        names: Class names.
    """
    return recurse or type(module).__name__ in names


@STRATEGIES.register_module()
class GLIPFSDPStrategy(FSDPStrategy):
    """MMEngine's FSDP strategy with current torch, and on a CPU.

    MMEngine hands the arguments of ``FSDP.optim_state_dict_to_load`` over in the order that they
    had before torch 2.1, so it cannot resume, and it asks for a CUDA device by number. Sharded
    averaged weights do not exist: leave ``AveragedWeightsHook`` out.

    Args:
        kwargs: As of MMEngine's ``FSDPStrategy``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.model_wrapper is None:
            self.model_wrapper = dict(type='MMFullyShardedDataParallel')
        if get_device() == 'cpu':
            self.model_wrapper.setdefault('device_id', torch.device('cpu'))

    def _setup_distributed(self, launcher: str = 'pytorch', backend: str = 'nccl',
                           **kwargs: Any) -> None:
        if get_device() == 'cpu':
            # MMEngine's launcher would select a CUDA device whatever the backend is
            torch.distributed.init_process_group('gloo')
            return
        super()._setup_distributed(launcher, backend, **kwargs)

    def optim_state_dict(self) -> dict:
        """Optimizer state by parameter name, and the loss scale."""
        state = FSDP.optim_state_dict(self.model, self.optim_wrapper.optimizer)
        scaler = getattr(self.optim_wrapper, 'loss_scaler', None)
        return state if scaler is None else dict(state, loss_scaler=scaler.state_dict())

    def load_optim_state_dict(self, state_dict: dict) -> None:
        """Shard a saved optimizer state and load it.

        Args:
            state_dict: From :meth:`optim_state_dict`.
        """
        scaler = state_dict.pop('loss_scaler', None)
        sharded = FSDP.optim_state_dict_to_load(
            model=self.model, optim=self.optim_wrapper.optimizer, optim_state_dict=state_dict)
        if scaler is not None:
            sharded['loss_scaler'] = scaler
        self.optim_wrapper.load_state_dict(sharded)
