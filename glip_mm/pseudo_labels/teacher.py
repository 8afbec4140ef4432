"""Teacher: a trained GLIP that grounds the noun phrases of captions."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from glip_mm.text import Prompt
from glip_mm.text.noun_phrases import NounPhraseFinder, Phrases

from .counts import said_count
from .sample import Sample
from .selection import BoxSelection, grounding_record

if TYPE_CHECKING:
    from glip_mm.models import GLIP

#: Causes of rejects of samples that were sound.
NOTHING_FOUND = ('no phrase', 'no box')
#: Determiners, which do not change the meaning of a phrase for detection.
DETERMINERS = ('a', 'an', 'the', 'this', 'that', 'these', 'those', 'some', 'any', 'each', 'every')


class Reject(NamedTuple):
    """A sample without labels, and the reason."""

    sample: Sample
    cause: str
    detail: str = ''

    def record(self) -> dict:
        """Return a line of ``rejects.jsonl``."""
        return dict(filename=self.sample.name, cause=self.cause,
                    **(dict(detail=self.detail) if self.detail else {}))


class Ready(NamedTuple):
    """A preprocessed sample."""

    sample: Sample
    phrases: Phrases
    #: Height and width of the image.
    size: tuple[int, int]
    #: Input of the model: ``inputs`` and ``data_samples``.
    data: dict


class Teacher:
    """Labels captioned images with a trained model.

    Args:
        model: A GLIP with its weights.
        pipeline: Test pipeline of the model's config, see
            :class:`~glip_mm.apis.images.ImagePipeline`.
        selection: Criteria for boxes to become labels.
        dtype: Data type of autocast, such as ``'bfloat16'``; None: float32.
        find_phrases: Thread-safe function from a caption to phrases with their spans; default: a
            :class:`~glip_mm.text.NounPhraseFinder`.
        determiners: Whether phrases keep their determiners ("a dog"), as published, or not ("dog").
    """

    def __init__(self, model: 'GLIP', pipeline: Any, selection: BoxSelection,
                 dtype: str | None = None,
                 find_phrases: Callable[[str], Phrases] | None = None,
                 determiners: bool = True) -> None:
        self.model = model.eval()
        self.selection = selection
        self.pipeline = pipeline
        self.find_phrases = find_phrases or NounPhraseFinder()
        self.determiners = determiners
        self.dtype = getattr(torch, dtype) if dtype else None
        self.device = next(model.parameters()).device
        # nothing below the threshold is wanted, and everything above it
        self.settings = self.model.test_cfg.replace(
            score_thr=min(selection.threshold, self.model.test_cfg.score_thr),
            iou_threshold=selection.nms_iou, max_per_img=-1)

    def prepare(self, sample: Sample) -> Ready | Reject:
        """Decode an image and find the phrases of its caption; thread-safe."""
        if sample.fault or not sample.caption:
            return Reject(sample, sample.fault or 'no caption', sample.detail)
        try:
            sample.caption.encode()
        except UnicodeEncodeError as error:  # half a character, as crawled JSON has it
            return Reject(sample, 'broken caption', str(error))
        try:
            phrases = self.find_phrases(sample.caption)
            if not self.determiners:
                phrases = [without_determiner(*phrase) for phrase in phrases]
            if not phrases:
                return Reject(sample, 'no phrase')
            prompt = Prompt.from_caption(sample.caption, [[list(span)] for _, span in phrases])
        except Exception as error:  # of a parser
            return Reject(sample, 'broken caption', _detail(error))
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
            return Reject(sample, 'broken image', _detail(error))
        return Ready(sample, phrases, size, data)

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
            return [Reject(batch[0].sample, 'not predicted', _detail(error))]

    @torch.no_grad()
    def _label(self, batch: Sequence[Ready]) -> list[dict | Reject]:
        autocast: Any = nullcontext() if self.dtype is None else torch.autocast(
            self.device.type, self.dtype)
        with autocast:
            found = self.model.test_step(dict(
                inputs=[ready.data['inputs'] for ready in batch],
                data_samples=[ready.data['data_samples'] for ready in batch]), self.settings)
        return [self._row(ready, sample.pred_instances) for ready, sample in zip(batch, found)]

    def _row(self, ready: Ready, found: Any) -> dict | Reject:
        height, width = ready.size
        boxes = found.bboxes.float().cpu().numpy().clip(0, (width, height) * 2)
        scores = found.scores.float().cpu().numpy()
        caption = ready.sample.caption or ''  # prepare() lets none without one pass
        chosen = self.selection.choose(boxes, scores, found.labels.cpu().numpy(),
                                       [said_count(caption, span) for _, span in ready.phrases])
        if not any(map(len, chosen)):
            return Reject(ready.sample, 'no box')
        return dict(filename=ready.sample.name, height=height, width=width,
                    grounding=grounding_record(caption, ready.phrases, boxes, scores,
                                               chosen))


def _detail(error: Exception) -> str:
    return f'{type(error).__name__}: ' + ' '.join(str(error).split())[:200]


def without_determiner(words: str, span: tuple[int, int]) -> tuple[str, tuple[int, int]]:
    """Remove leading determiners from a phrase.

    Example:
        >>> without_determiner('the red cat', (4, 15))
        ('red cat', (8, 15))
    """
    first, _, rest = words.partition(' ')
    if first.lower() not in DETERMINERS or not rest.strip():
        return words, span
    rest = rest.lstrip()
    return rest, (span[1] - len(rest), span[1])
