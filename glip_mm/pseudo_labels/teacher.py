"""Teacher: a trained GLIP that finds in images what it is asked for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from .questions import CaptionPhrases, Found, Question
from .sample import Reject, Sample, error_detail
from .selection import BoxSelection

if TYPE_CHECKING:
    from glip_mm.models import GLIP

#: Causes of rejects of samples that were sound.
NOTHING_FOUND = ('no phrase', 'no box')


class Ready(NamedTuple):
    """A preprocessed sample."""

    sample: Sample
    #: What is looked for in it.
    prompt: Any
    #: Height and width of the image.
    size: tuple[int, int]
    #: Input of the model: ``inputs`` and ``data_samples``.
    data: dict


class Teacher:
    """Labels images with a trained model.

    Args:
        model: A GLIP with its weights.
        pipeline: Test pipeline of the model's config, see
            :class:`~glip_mm.apis.images.ImagePipeline`.
        selection: Criteria for boxes to become labels.
        question: What is looked for; default: the phrases of captions.
        dtype: ``test_cfg.dtype`` of the labelling; default: that of the model's.
        chunked_size: Number of names per prompt; default: that of the model's ``test_cfg``.

    Raises:
        ValueError: If the model's device cannot compute in ``dtype``.
    """

    def __init__(self, model: 'GLIP', pipeline: Any, selection: BoxSelection,
                 question: Question | None = None, dtype: str | None = None,
                 chunked_size: int | None = None) -> None:
        self.model = model.eval()
        self.selection = selection
        self.pipeline = pipeline
        self.question: Question = question or CaptionPhrases()
        # nothing below the threshold is wanted, and everything above it
        self.settings = self.model.test_cfg.replace(
            score_thr=min(self.question.least_score(selection), self.model.test_cfg.score_thr),
            iou_threshold=selection.nms_iou, max_per_img=-1,
            **{key: value for key, value in dict(chunked_size=chunked_size, dtype=dtype).items()
               if value is not None})
        self.settings.autocast(next(model.parameters()).device)  # here it is an error, not a reject

    def prepare(self, sample: Sample) -> Ready | Reject:
        """Decode an image and make its prompt; thread-safe."""
        if sample.fault:
            return Reject(sample, sample.fault, sample.detail)
        prompt = self.question.prompt(sample)
        if isinstance(prompt, Reject):
            return prompt
        if sample.image is None:
            return Reject(sample, 'no image')
        try:
            image = sample.image if isinstance(sample.image, bytes) else str(sample.image)
            results = self.pipeline.load(image, 0)
            size = tuple(results['ori_shape'][:2])
            data = self.pipeline.pack(results, prompt)
        except FileNotFoundError:
            return Reject(sample, 'missing image')
        except ValueError as error:
            return Reject(sample, 'broken image', str(error))
        except OSError as error:  # such as a name that is too long
            return Reject(sample, 'unreadable image', str(error))
        except Exception as error:  # of a transform, such as cv2.error
            return Reject(sample, 'broken image', error_detail(error))
        return Ready(sample, prompt, size, data)

    def label(self, batch: Sequence[Ready]) -> list[dict | Reject]:
        """Label a batch; return an ODVG row or a reject for each sample.

        Raises:
            RuntimeError: If the device fails, of which no sample is the cause.
        """
        try:
            return self._label(batch)
        except Exception as error:
            if 'CUDA error' in str(error):  # it fails for all that follow
                raise
            if len(batch) > 1:
                return [row for ready in batch for row in self.label([ready])]
            return [Reject(batch[0].sample, 'not predicted', error_detail(error))]

    @torch.no_grad()
    def _label(self, batch: Sequence[Ready]) -> list[dict | Reject]:
        found = self.model.test_step(dict(
            inputs=[ready.data['inputs'] for ready in batch],
            data_samples=[ready.data['data_samples'] for ready in batch]), self.settings)
        return [self._row(ready, sample.pred_instances) for ready, sample in zip(batch, found)]

    def _row(self, ready: Ready, found: Any) -> dict | Reject:
        height, width = ready.size
        boxes = found.bboxes.float().cpu().numpy().clip(0, (width, height) * 2)
        content = self.question.content(ready.sample, ready.prompt, Found(
            boxes, found.scores.float().cpu().numpy(), found.labels.cpu().numpy()), self.selection)
        if content is None:
            return Reject(ready.sample, 'no box')
        return dict(filename=ready.sample.name, height=height, width=width, **content)
