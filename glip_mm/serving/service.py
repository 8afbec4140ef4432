"""One model behind a bounded number of requests."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mmengine.logging import MMLogger

from glip_mm.apis.result import GroundingResult
from glip_mm.models.bounded_cache import BoundedCache
from glip_mm.version import __version__

from .batching import Batcher
from .images import decode, from_base64, of_task
from .label_studio import Interface
from .metrics import Metrics
from .queries import Query, detect, query_of
from .settings import Refused, ServerSettings

if TYPE_CHECKING:
    from glip_mm.apis import GLIPInferencer


class Service:
    """Answers requests, whatever brought them.

    Args:
        inferencer: The model, which a single thread uses.
        settings: Limits.

    Attributes:
        in_work: Number of requests in work.
        version: What predictions are called in Label Studio.
    """

    def __init__(self, inferencer: 'GLIPInferencer', settings: ServerSettings) -> None:
        self.inferencer, self.settings = inferencer, settings
        self.metrics, self.in_work = Metrics(), 0
        stem = inferencer.checkpoint.stem if inferencer.checkpoint else 'untrained'
        self.version = f'{stem}, glip_mm {__version__}'
        self._batcher: Batcher[Query, GroundingResult] = Batcher(
            self._detect, lambda query: query.kind, settings.max_batch, settings.max_wait / 1000)
        self._interfaces = BoundedCache(100)  # those of projects that were set up

    def close(self) -> None:
        """Finish what waits, and end the thread of the model."""
        self._batcher.close()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take one of the places of requests.

        Raises:
            Refused: 503 if none is free.
        """
        if self.in_work >= self.settings.max_queue:
            raise Refused(503, f'{self.in_work} requests are in work: come back later',
                          {'Retry-After': '1'})
        self.in_work += 1
        try:
            yield
        finally:
            self.in_work -= 1

    async def detect(self, image: bytes | str | None, fields: dict[str, Any]) -> dict[str, Any]:
        """Detect in an image.

        Args:
            image: Encoded image, as it is or in base64.
            fields: What is looked for, see :func:`.queries.query_of`.

        Returns:
            The boxes that reach their thresholds, see :meth:`.GroundingResult.to_dict`.

        Raises:
            Refused: 413 or 422, see there.
        """
        content = image if isinstance(image, bytes) else from_base64(image, self.settings)
        result = await self._ask(content, fields)
        return result.shown.to_dict()

    def set_up(self, project: object, schema: object) -> dict[str, Any]:
        """Remember the labelling interface of a Label Studio project.

        Raises:
            Refused: 422 if there is nothing in it to look for.
        """
        self._interfaces.put(str(project), Interface.parse(schema))
        return {'model_version': self.version}

    async def predict(self, project: object, schema: object, tasks: object) -> dict[str, Any]:
        """Predict Label Studio tasks.

        Returns:
            A prediction for each task; an empty list for one whose image can not be used.

        Raises:
            Refused: 422 if there are no tasks or labels, or no image can be used.
        """
        interface = self._interfaces.get(str(project)) if schema is None else (
            Interface.parse(schema))
        if interface is None:
            raise Refused(422, "there is no 'label_config', and no /setup of this project before")
        if not isinstance(tasks, list):
            raise Refused(422, "'tasks' must be a list")
        results: list[Any] = []
        errors: list[Refused] = []
        size = self.settings.max_batch
        for start in range(0, len(tasks), size):
            found = await asyncio.gather(
                *(self._predict(interface, task) for task in tasks[start:start + size]),
                return_exceptions=True)
            for each in found:
                if isinstance(each, Refused):
                    MMLogger.get_current_instance().warning('no prediction: %s', each)
                    errors.append(each)
                elif isinstance(each, BaseException):
                    raise each
                results.append([] if isinstance(each, Refused) else each)
        if errors and len(errors) == len(tasks):
            raise errors[0]
        return {'results': results, 'model_version': self.version}

    async def _predict(self, interface: Interface, task: object) -> dict[str, Any]:
        url = interface.image_of(task)
        content = await asyncio.to_thread(of_task, url, self.settings)
        result = await self._ask(content, {'names': list(interface.labels)})
        return interface.prediction(result, self.version)

    async def _ask(self, content: bytes, fields: dict[str, Any]) -> GroundingResult:
        query = await asyncio.to_thread(self._query, content, fields)
        try:
            return await asyncio.wrap_future(self._batcher.submit(query))
        except (TypeError, ValueError) as error:  # of the prompt: what the model takes as a text
            raise Refused(422, str(error)) from error

    def _query(self, content: bytes, fields: dict[str, Any]) -> Query:
        return query_of(decode(content, self.inferencer.pipeline, self.settings), fields,
                        self.settings)

    def _detect(self, queries: Sequence[Query]) -> list[GroundingResult]:
        start = time.perf_counter()
        results = detect(self.inferencer, queries)
        self.metrics.batch(len(queries), time.perf_counter() - start)
        return results
