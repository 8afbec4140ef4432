"""Detection in images one after the other: loading ahead, batches or tiles, what is wanted."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from glip_mm.text import Prompt
from glip_mm.thresholds import Thresholds

from .failures import Failures
from .images import ImagePipeline
from .inputs import OneImage
from .masks import Segmenter
from .negatives import without_negatives
from .result import GroundingResult
from .tiles import Tiling, merge_views

if TYPE_CHECKING:
    from glip_mm.models.dense_heads import PredictionSettings

#: Index, pixels ``[h, w, 3]`` BGR and result of an image; the last two are None if it failed.
Found = tuple[int, Any, GroundingResult | None]
#: Prompt of an image, and the one that the model is asked with: negatives come after it.
Prompts = tuple[Prompt, Prompt]


class _Item(NamedTuple):
    position: int
    image: OneImage
    prompts: Prompts
    loaded: dict[str, Any]


@dataclass(frozen=True)
class Detection:
    """How a call detects.

    Args:
        pipeline: Pipeline of the images.
        predict: Function from samples and settings to a result for each.
        batch_size: Number of images, or of tiles, per forward pass.
        channel_order: Order of the colours of arrays and tensors.
        tiling: Tiles of large images.
        thresholds: Scores from which boxes are shown.
        settings: Settings of the model; None: its own.
        segmenter: Model of masks; with one, results have the boxes that are shown alone.
    """

    pipeline: ImagePipeline
    predict: Callable[[Sequence[dict], 'PredictionSettings | None'], list[GroundingResult]]
    batch_size: int
    channel_order: str
    tiling: Tiling | None
    thresholds: Thresholds
    settings: 'PredictionSettings | None'
    segmenter: Segmenter | None = None

    def run(self, images: Iterable[tuple[OneImage, Prompts]], failures: Failures
            ) -> Iterator[Found]:
        """Detect in images.

        Args:
            images: Images, each with its prompts.
            failures: Gains the images that could not be used.

        Yields:
            One entry for each image, in order.
        """
        expected = 0
        for batch in _ahead(self._batches(images, failures)):
            for position, pixels, result in self._results(batch, failures):
                for failed in range(expected, position):
                    yield failed, None, None
                yield position, pixels, result
                expected = position + 1
        last = max((failure.index for failure in failures.failed), default=-1)
        for failed in range(expected, last + 1):
            yield failed, None, None

    def _batches(self, images: Iterable[tuple[OneImage, Prompts]], failures: Failures
                 ) -> Iterator[list[tuple[_Item, dict]]]:
        """Load and pack images; record those that cannot be used."""
        batch = []
        size = self.batch_size if self.tiling is None else 1
        for position, (image, prompts) in enumerate(images):
            ready = None
            with failures.of(position, image):
                loaded = self.pipeline.load(image, position, self.channel_order)
                ready = (_Item(position, image, prompts, loaded), {} if self.tiling else
                         self.pipeline.pack(dict(loaded), prompts[1]))
            if ready is not None:
                batch.append(ready)
            if len(batch) == size:
                yield batch
                batch = []
        if batch:
            yield batch

    def _results(self, batch: Sequence[tuple[_Item, dict]], failures: Failures
                 ) -> Iterator[Found]:
        """Predict a batch; if that fails, each of its images alone."""
        try:
            if self.tiling is not None:
                results = [self._in_tiles(item, self.tiling) for item, _ in batch]
            else:
                results = self.predict([sample for _, sample in batch], self.settings)
            results = [self._wanted(item, result) for (item, _), result in zip(batch, results)]
        except Exception:
            if len(batch) == 1:
                with failures.of(batch[0][0].position, batch[0][0].image):
                    raise
                return
            for one in batch:
                yield from self._results([one], failures)
            return
        for (item, _), result in zip(batch, results):
            yield item.position, item.loaded['img'], result

    def _in_tiles(self, item: _Item, tiling: Tiling) -> GroundingResult:
        height, width = item.loaded['img'].shape[:2]
        views = tiling.views(width, height)
        parts: list[GroundingResult] = []
        for start in range(0, len(views), self.batch_size):
            parts += self.predict([
                self.pipeline.pack(self.pipeline.part(item.loaded, view), item.prompts[1])
                for view in views[start:start + self.batch_size]], self.settings)
        return merge_views(parts, views)

    def _wanted(self, item: _Item, result: GroundingResult) -> GroundingResult:
        wanted, asked = item.prompts
        if asked is not wanted:
            result = without_negatives(result, wanted)
        result = replace(result, thresholds=self.thresholds,
                         read=partial(self.pipeline.rgb, item.image, self.channel_order))
        if self.segmenter is None:
            return result
        result = result.shown
        pixels = np.ascontiguousarray(item.loaded['img'].astype(np.uint8)[..., ::-1])
        return replace(result, segments=self.segmenter(pixels, result.boxes))


def _ahead(batches: Iterator[list]) -> Iterator[list]:
    """Load the next batch in a thread while the model processes the current one."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        pending = pool.submit(next, batches, None)
        while (batch := pending.result()) is not None:
            pending = pool.submit(next, batches, None)
            yield batch
