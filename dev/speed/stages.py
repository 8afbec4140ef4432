"""Time of a run by the parts of a model."""

import contextlib
import time
from collections.abc import Callable, Iterator

import torch
from torch import nn

STAGES = ('backbone', 'neck', 'text', 'fusion', 'dynamic conv', 'head', 'post-processing', 'rest')
#: (object, name of its method, stage)
Parts = list[tuple[object, str, str]]


def parts_of_ours(model: nn.Module) -> Parts:
    """List the methods of our detector that delimit the stages."""
    parts: Parts = [(model.backbone, 'forward', 'backbone'), (model.neck, 'forward', 'neck'),
                    (model, 'encode_text', 'text'), (model.fusion_neck, 'forward', 'fusion'),
                    (model.bbox_head, 'forward', 'head'),
                    (model.bbox_head, 'predict', 'post-processing')]
    if hasattr(model, '_finish'):  # scaling and naming; under another name it counts as rest
        parts.append((model, '_finish', 'post-processing'))
    return parts + [(module, 'forward', 'dynamic conv') for module in model.modules()
                    if type(module).__name__ == 'DyConv']


def parts_of_theirs(model: nn.Module) -> Parts:
    """List the methods of MMDetection's detector that delimit the stages."""
    parts: Parts = [(model.backbone, 'forward', 'backbone'), (model.neck, 'forward', 'neck'),
                    (model.language_model, 'forward', 'text'),
                    (model.bbox_head, 'forward', 'head'),
                    (model.bbox_head, 'predict_by_feat', 'post-processing')]
    kinds = dict(DyConv='dynamic conv', VLFuse='fusion', BertEncoderLayer='fusion')
    return parts + [(module, 'forward', kinds[type(module).__name__])
                    for module in model.modules() if type(module).__name__ in kinds]


class StageClock:
    """Exclusive time of each stage.

    Attributes:
        seconds: Wall-clock time by stage.
        cpu_seconds: CPU time by stage.
    """

    def __init__(self, synchronize: Callable[[], None]) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(STAGES, 0.0)
        self.cpu_seconds = dict(self.seconds)
        self._synchronize = synchronize
        self._open: list[str] = ['rest']
        self._last = self._now()

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.perf_counter(), time.process_time()

    def _switch(self) -> None:
        self._synchronize()
        now, stage = self._now(), self._open[-1]
        self.seconds[stage] += now[0] - self._last[0]
        self.cpu_seconds[stage] += now[1] - self._last[1]
        self._last = now

    @contextlib.contextmanager
    def watch(self, parts: Parts) -> Iterator[None]:
        """Time all stages inside a context.

        Args:
            parts: Methods that belong to stages; they are wrapped in the context.
        """
        for owner, name, stage in parts:
            setattr(owner, name, self._wrapped(getattr(owner, name), stage))
        self._synchronize()
        self._last = self._now()
        try:
            yield
        finally:
            self._switch()
            for owner, name, _ in parts:
                delattr(owner, name)

    def _wrapped(self, method: Callable, stage: str) -> Callable:
        def run(*args, **kwargs):
            self._switch()
            self._open.append(stage)
            try:
                return method(*args, **kwargs)
            finally:
                self._switch()
                self._open.pop()
        return run


def split(run: Callable[[], object], parts: Parts,
          synchronize: Callable[[], None]) -> StageClock:
    """Time the stages of one run.

    Args:
        run: Function that does the work once.
        parts: Methods that belong to stages.
        synchronize: Function that synchronises host and device, called at the stages' ends.
    """
    clock = StageClock(synchronize)
    with clock.watch(parts):
        run()
    return clock


def synchronizer(device: str) -> Callable[[], None]:
    """Return the function that synchronises host and device."""
    return torch.cuda.synchronize if device.startswith('cuda') else lambda: None
