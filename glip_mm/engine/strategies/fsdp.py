"""Fully sharded data-parallel training."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import torch
from mmengine._strategy.fsdp import FSDP, FSDPStrategy
from mmengine.device import get_device
from mmengine.dist import all_reduce
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from glip_mm.registry import FUNCTIONS, STRATEGIES


@FUNCTIONS.register_module()
def wrap_blocks(module: nn.Module, recurse: bool, nonwrapped_numel: int,
                names: Sequence[str] = ()) -> bool:
    """Decide whether FSDP wraps a module, by class names.

    A unit must be *called*: one whose parameters another module reads, or of which a method other
    than ``forward`` is called (the language model's ``encode``, the head's ``loss``), belongs to
    the unit around it. So does one that processes call unequally often, because each call gathers
    from all: the layers of a language model, whose remembered captions are not encoded again.

    Args:
        module: Candidate module.
        recurse: Whether torch asks about the children rather than the module.
        nonwrapped_numel: Number of parameters not yet in a unit; not used.
        names: Names of the classes to wrap.
    """
    return recurse or type(module).__name__ in names


def vectors_for_scalars(model: nn.Module) -> None:
    """Turn scalar parameters into vectors of one element: FSDP shards no scalars.

    The model computes the same, and its checkpoints load into an unsharded model.
    """
    for module in model.modules():
        for name, param in module.named_parameters(recurse=False):
            if param.dim() == 0:
                setattr(module, name, nn.Parameter(param.detach().reshape(1),
                                                   requires_grad=param.requires_grad))


def most_of_all(calls: int) -> int:
    """Return the largest number of any process: each call of a unit gathers from all of them."""
    most = torch.tensor(calls, device=get_device())
    all_reduce(most, 'max')
    return int(most)


def prepare_for_shards(model: nn.Module) -> None:
    """Give a model parameters that can be sharded, and as many calls in all processes."""
    vectors_for_scalars(model)
    if hasattr(model, 'agree_on_calls'):
        model.agree_on_calls = most_of_all  # type: ignore[assignment]  # of a GLIP


def clip_sharded_grad_norm_(params: Iterable[Tensor], max_norm: float,
                            norm_type: float = 2.0, model: nn.Module | None = None) -> Tensor:
    """Clip sharded gradients by their global norm.

    Args:
        params: Parameters with a gradient; changed in place.
        max_norm: Maximum norm.
        norm_type: Order of the norm, finite.
        model: Sharded model of these parameters. Only processes with different shards add up:
            those of a group with ``HYBRID_SHARD``, none with ``NO_SHARD``. Default: all.

    Returns:
        Global norm before clipping.
    """
    grads = [p.grad for p in params if p.grad is not None]
    total = torch.stack([g.float().abs().pow(norm_type).sum() for g in grads]).sum()
    strategy = getattr(getattr(model, 'sharding_strategy', None), 'name', '')
    if strategy != 'NO_SHARD':
        # with a hybrid strategy the model's group are the processes that share one copy of it
        all_reduce(total, group=getattr(model, 'process_group', None))
    total = total.pow(1 / norm_type)
    factor = (max_norm / (total + 1e-6)).clamp(max=1)
    for grad in grads:
        grad.mul_(factor.to(grad))
    return total


@STRATEGIES.register_module()
class GLIPFSDPStrategy(FSDPStrategy):
    """MMEngine's FSDP strategy, fixed for GLIP, for current torch, and for CPUs.

    MMEngine's clips by the norm of a process's own shards; passes the arguments of
    ``FSDP.optim_state_dict_to_load`` in their order before torch 2.1, so it
    cannot resume; and requests a CUDA device by number. FSDP itself takes no scalar parameters.
    Averaged weights cannot be sharded: leave ``AveragedWeightsHook`` out.

    Args:
        kwargs: Arguments of MMEngine's ``FSDPStrategy``.
    """

    model_wrapper: dict[str, Any] | None

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

    def _init_state_dict_cfg(self, state_dict_cfg: str | dict) -> None:
        super()._init_state_dict_cfg(state_dict_cfg)
        if get_device() == 'cpu':
            # an offloaded tensor that is already on the CPU is not copied, and is freed with the
            # gathered shards
            self.state_dict_config.offload_to_cpu = False
            self.optim_state_dict_config.offload_to_cpu = False

    def _wrap_model(self, model: nn.Module) -> nn.Module:
        prepare_for_shards(model)
        return super()._wrap_model(model)

    def build_optim_wrapper(self, *args: Any, **kwargs: Any) -> OptimWrapper:
        """Build the optimizer of the sharded model; gradient clipping covers all shards."""
        wrapper = super().build_optim_wrapper(*args, **kwargs)
        if getattr(wrapper, 'clip_func', None) is torch.nn.utils.clip_grad_norm_:
            wrapper.clip_func = partial(clip_sharded_grad_norm_, model=self.model)
        return wrapper

    def load_model_state_dict(self, state_dict: dict, **kwargs: Any) -> None:
        """Load weights of a sharded or unsharded model."""
        super().load_model_state_dict(
            {k: v.reshape(1) if v.dim() == 0 else v for k, v in state_dict.items()}, **kwargs)

    def optim_state_dict(self) -> dict:
        """Return the optimizer state by parameter name, with the wrapper's own entries."""
        own = self.optim_wrapper.state_dict()
        state = FSDP.optim_state_dict(self.model, self.optim_wrapper.optimizer)
        return {**{k: v for k, v in own.items() if k not in ('state', 'param_groups')}, **state}

    def load_optim_state_dict(self, state_dict: dict) -> None:
        """Shard a saved optimizer state and load it.

        Args:
            state_dict: Result of :meth:`optim_state_dict`.
        """
        added = {k: v for k, v in state_dict.items() if k not in ('state', 'param_groups')}
        sharded = FSDP.optim_state_dict_to_load(
            model=self.model, optim=self.optim_wrapper.optimizer,
            optim_state_dict={k: v for k, v in state_dict.items() if k not in added})
        self.optim_wrapper.load_state_dict({**sharded, **added})
