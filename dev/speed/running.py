"""A run of one model: from image to boxes, or a training step."""

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from mmdet.structures import DetDataSample
from torch import Tensor, nn

from glip_mm.models.dense_heads import PredictionSettings

from .cases import Case, make_images, make_samples

DTYPES = dict(float32=torch.float32, bfloat16=torch.bfloat16, float16=torch.float16)


def autocast(device: str, dtype: str) -> AbstractContextManager:
    """Return an autocast context, or a null context for float32."""
    if dtype == 'float32':
        return contextlib.nullcontext()
    return torch.autocast(device, dtype=DTYPES[dtype])


class Runner:
    """Runs a model on a case.

    Args:
        model: Detector of either side.
        case: Case to run.
        count_tokens: Function that counts tokens, for captions of a given length.
        device: Device type, ``'cpu'`` or ``'cuda'``.
        dtype: Precision, a key of ``DTYPES``; other than float32 by autocast.
        one_at_a_time: Whether to run images one by one (MMDetection's chunked prompts need that).
        inclusive_boxes: Whether ground truth includes the last pixel (MMDetection's GLIP).
        cold_text: Whether to clear cached text features before each run.
    """

    def __init__(self, model: nn.Module, case: Case, count_tokens: Callable, device: str = 'cpu',
                 dtype: str = 'float32', one_at_a_time: bool = False,
                 inclusive_boxes: bool = False, cold_text: bool = False) -> None:
        self.model, self.case, self.count_tokens = model, case, count_tokens
        self.device, self.dtype, self.one_at_a_time = device, dtype, one_at_a_time
        self.inclusive_boxes, self.cold_text = inclusive_boxes, cold_text
        self.images = make_images(case.batch, case.size)
        self.optimizer: torch.optim.Optimizer | None = None
        self._samples: list[DetDataSample] = []
        if isinstance(model.test_cfg, PredictionSettings):
            model.test_cfg = model.test_cfg.replace(chunked_size=case.chunked_size)
        else:
            model.test_cfg['chunked_size'] = case.chunked_size
        model.train(case.training)

    def prepare(self) -> None:
        """Prepare the input as a data loader would; not timed."""
        self._samples = make_samples(self.case, self.count_tokens)
        if self.inclusive_boxes and self.case.training:
            for sample in self._samples:
                sample.gt_instances.bboxes[:, 2:] -= 1
        if self.cold_text and hasattr(self.model.language_model, 'clear_cache'):
            self.model.language_model.clear_cache()

    def __call__(self) -> Any:
        """Return the detections of each image, or the losses of a training step."""
        return self._train() if self.case.training else self._predict()

    @torch.no_grad()
    def _predict(self) -> list[dict[str, Tensor]]:
        step = 1 if self.one_at_a_time else self.case.batch
        found = []
        with autocast(self.device, self.dtype):
            for i in range(0, self.case.batch, step):
                found += self.model.test_step(dict(inputs=self.images[i:i + step],
                                                   data_samples=self._samples[i:i + step]))
        self.synchronize()
        return [dict(boxes=s.pred_instances.bboxes, scores=s.pred_instances.scores,
                     labels=s.pred_instances.labels) for s in found]

    def losses(self) -> dict[str, Tensor]:
        """Compute the losses of a training step's forward pass."""
        data = self.model.data_preprocessor(
            dict(inputs=list(self.images), data_samples=self._samples), True)
        with autocast(self.device, self.dtype):
            return self.model(**data, mode='loss')

    def _train(self) -> dict[str, float]:
        if self.optimizer is None:
            # the weights are not updated: the next step does the same work
            parameters = [p for p in self.model.parameters() if p.requires_grad]
            self.optimizer = torch.optim.AdamW(parameters, lr=0.0, weight_decay=0.0)
        losses = self.losses()
        total = sum(v for v in losses.values())
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        self.optimizer.step()
        self.synchronize()
        return {k: v.item() for k, v in losses.items()}

    def forget(self) -> None:
        """Free gradients and the optimizer."""
        self.optimizer = None
        self.model.zero_grad(set_to_none=True)

    def synchronize(self) -> None:
        """Synchronise host and device."""
        if self.device.startswith('cuda'):
            torch.cuda.synchronize()
