"""Handling of losses and gradients that are not finite."""

from typing import Any, cast

import torch
from mmengine.dist import all_gather_object, all_reduce
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import Tensor, nn

from glip_mm.registry import HOOKS

#: Keys of a sample's meta information that identify it, the most informative first.
_NAMES = ('where', 'img_path', 'img_id')
_SHOWN = 16


@HOOKS.register_module()
class NonFiniteHook(Hook):
    """Skips optimizer steps whose losses or gradients are not finite, or stops the training.

    All processes decide together, before any weight is updated. The message names the losses, or
    the first parameter (in the model's order) whose gradient is not finite, and the samples of the
    batch. Skipped steps are counted; the count survives resuming. With gradient accumulation the
    whole step is skipped. If a parameter or buffer itself is not finite, skipping does not help:
    then the training stops whatever the policy. Gradients under float16 loss scaling are left to
    the scaler, which skips such steps itself.

    Args:
        policy: Reaction to a non-finite loss or gradient: ``'skip'`` or ``'stop'``.
        max_in_a_row: Number of consecutive skipped steps that stops the training.

    Raises:
        FloatingPointError: If the training must stop.
    """

    priority = 'HIGHEST'  # before anything is logged or saved

    def __init__(self, policy: str = 'skip', max_in_a_row: int = 20) -> None:
        if policy not in ('skip', 'stop'):
            raise ValueError(f"NonFiniteHook.policy must be 'skip' or 'stop', got {policy!r}")
        self.policy, self.max_in_a_row = policy, max_in_a_row
        self.skipped = 0
        self._in_a_row = 0
        self._guard: _StepGuard | None = None
        self._losses: list[tuple[str, Tensor]] = []
        self._samples: list[str] = []

    def before_train(self, runner: Runner) -> None:
        """Install the guard of the optimizer's step."""
        self.skipped = runner.message_hub.runtime_info.get('skipped_steps', 0)
        wrapper = runner.optim_wrapper
        if not isinstance(wrapper, OptimWrapper):
            runner.logger.warning(f'NonFiniteHook does not watch {type(wrapper).__name__}, which '
                                  'steps by itself')
            return
        if self._guard is None or self._guard.wrapper is not wrapper:
            self._guard = _StepGuard(wrapper, _core(runner.model))
            if runner.cfg.get('compile'):  # see ScreenRunner
                wrapper.update_params = torch.compiler.disable(wrapper.update_params)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None,
                         outputs: dict | None = None) -> None:
        """Report a skipped step."""
        if self._guard is None:
            return
        self._remember(data_batch, outputs or {})
        verdict, self._guard.verdict = self._guard.verdict, None
        if verdict is None:  # gradients are still accumulating
            return
        bad, gradient = verdict
        losses, self._losses = self._losses, []
        samples, self._samples = self._samples, []
        if not bad:
            self._in_a_row = 0
            return
        self.skipped += 1
        self._in_a_row += 1
        runner.message_hub.update_info('skipped_steps', self.skipped)
        wrong = [f'{k} ({float(v)})' for k, v in losses if not torch.isfinite(v)]
        mine = dict(losses=wrong, gradient=gradient, samples=samples,
                    state=_broken_state(_core(runner.model)))
        reports = all_gather_object(mine)
        message = f'iteration {runner.iter + 1}: {_describe(reports)}'
        state = next((r['state'] for r in reports if r['state']), None)
        if state:
            raise FloatingPointError(f'{message}. {state} is not finite, which no skipped step '
                                     'mends: go on from an earlier checkpoint')
        if self.policy == 'stop':
            raise FloatingPointError(f'{message}. The weights are untouched. NonFiniteHook('
                                     "policy='skip') leaves such steps out")
        if self._in_a_row >= self.max_in_a_row:
            raise FloatingPointError(
                f'{message}. {self._in_a_row} steps in a row were left out: lower the learning '
                'rate, or raise max_in_a_row of NonFiniteHook')
        runner.logger.warning(f'{message}; the step is left out, {self.skipped} so far')
        outputs = outputs or {}
        for name in [k for k in outputs if not torch.isfinite(torch.as_tensor(outputs[k]))]:
            outputs.pop(name)  # a nan would spoil the averages in the log

    def _remember(self, data_batch: Any, outputs: dict) -> None:
        # the sum, 'loss', adds no information to its parts
        names = [n for n in outputs if 'loss' in n and n != 'loss'] or ['loss']
        self._losses += [(n, torch.as_tensor(outputs[n]).detach()) for n in names if n in outputs]
        self._samples += _names(data_batch)


class _StepGuard:
    """Wrapper of an optimizer's step; all processes reach the same verdict."""

    def __init__(self, wrapper: OptimWrapper, model: nn.Module) -> None:
        self.wrapper, self.model = wrapper, model
        #: After a step: whether it was skipped, and the first bad gradient here if any.
        self.verdict: tuple[bool, str | None] | None = None
        self._loss: Tensor | None = None
        self._update_params, self._step = wrapper.update_params, wrapper.step
        wrapper.update_params, wrapper.step = self.update_params, self.step

    def update_params(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        loss_here = loss.detach()
        self._loss = loss_here if self._loss is None else self._loss + loss_here
        self._update_params(loss, *args, **kwargs)

    def step(self, **kwargs: Any) -> None:
        total = torch.zeros(()) if self._loss is None else self._loss.float()
        gradients = [] if self._scaled() else [
            p.grad for g in self.wrapper.optimizer.param_groups for p in g['params']
            if p.grad is not None]
        if gradients:
            norms = torch.stack([n.float() for n in torch._foreach_norm(gradients)])
            total = total + norms.sum().to(total.device)
        bad = (~torch.isfinite(total)).float()
        all_reduce(bad, 'max')
        self._loss = None
        if bad.item():
            self.verdict = True, None if self._scaled() else self._first_bad_gradient()
            return
        self.verdict = False, None
        self._step(**kwargs)

    def _scaled(self) -> bool:
        scaler = getattr(self.wrapper, 'loss_scaler', None)
        return scaler is not None and scaler.is_enabled()

    def _first_bad_gradient(self) -> str | None:
        bad = [name for name, p in self.model.named_parameters()
               if p.grad is not None and not torch.isfinite(p.grad).all()]
        return f'{bad[0]} and {len(bad) - 1} more' if len(bad) > 1 else ''.join(bad) or None


def _core(model: nn.Module) -> nn.Module:
    return cast(nn.Module, model.module) if is_model_wrapper(model) else model


def _broken_state(model: nn.Module) -> str | None:
    for kind, tensors in (('parameter', model.named_parameters()),
                          ('buffer', model.named_buffers())):
        for name, tensor in tensors:
            if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                return f"{kind} '{name}'"
    return None


def _names(data_batch: Any) -> list[str]:
    samples = data_batch.get('data_samples') if isinstance(data_batch, dict) else None
    if not isinstance(samples, (list, tuple)):
        return []
    infos = [getattr(s, 'metainfo', {}) for s in samples]
    return [next((str(info[k]) for k in _NAMES if k in info), 'a sample without a name')
            for info in infos]


def _describe(reports: list[dict]) -> str:
    parts = []
    # a bad loss spoils the gradients of all processes: report only the process where it arose
    some_loss = any(r['losses'] for r in reports)
    for rank, report in enumerate(reports):
        if some_loss and not report['losses']:
            continue
        what = (', '.join(report['losses']) + ' of the losses' if report['losses'] else
                f"the gradient of {report['gradient']}" if report['gradient'] else 'a gradient')
        samples = ', '.join(report['samples'][:_SHOWN]) or 'unnamed samples'
        more = len(report['samples']) - _SHOWN
        where = f' on process {rank}' if len(reports) > 1 else ''
        parts.append(f'{what} is not finite{where}, for {samples}'
                     + (f' and {more} more' if more > 0 else ''))
    return '; '.join(parts)
