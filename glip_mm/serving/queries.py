"""What clients ask: an image, a prompt, thresholds."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from glip_mm.apis.negatives import with_negatives
from glip_mm.apis.prompts import make_prompt
from glip_mm.apis.result import GroundingResult
from glip_mm.text import Prompt
from glip_mm.thresholds import Thresholds

from .settings import Refused, ServerSettings

if TYPE_CHECKING:
    from glip_mm.apis import GLIPInferencer

#: Fields of a request to detect.
FIELDS = ('image', 'names', 'caption', 'spans', 'negatives', 'threshold')


@dataclass(frozen=True, eq=False)
class Query:
    """An image and what is looked for in it.

    Args:
        pixels: ``[height, width, 3]`` uint8 BGR.
        prompt: What is looked for.
        negatives: Names that compete and are not returned.
        thresholds: Scores from which boxes are returned; None: those of the inferencer.
    """

    pixels: np.ndarray
    prompt: Prompt
    negatives: tuple[str, ...] = ()
    thresholds: Thresholds | None = None

    @property
    def kind(self) -> tuple:
        """What queries of one forward pass have in common.

        Images of other sizes would be padded, which changes what the model sees of this one.
        """
        return self.pixels.shape, self.negatives


def detect(inferencer: 'GLIPInferencer', queries: Sequence[Query]) -> list[GroundingResult]:
    """Answer queries of one kind in one forward pass.

    Raises:
        ImageError, ValueError: If one of them can not be answered.
    """
    found = inferencer([query.pixels for query in queries], [query.prompt for query in queries],
                       negatives=queries[0].negatives, batch_size=len(queries))
    if found.errors:
        raise ValueError(found.errors[0].message)
    return [replace(result, thresholds=query.thresholds or inferencer.thresholds)
            for query, result in zip(queries, found) if result is not None]


def query_of(pixels: np.ndarray, fields: Mapping[str, Any], settings: ServerSettings) -> Query:
    """Make a query of the fields of a request.

    Args:
        pixels: ``[height, width, 3]`` uint8 BGR.
        fields: ``names`` or ``caption`` (with ``spans``), ``negatives``, ``threshold``.
        settings: Limits.

    Raises:
        Refused: 422 if a field is unknown, missing or wrong.
    """
    check_fields(fields)
    names, caption = fields.get('names'), fields.get('caption')
    if (names is None) == (caption is None):
        raise Refused(422, "give either 'names', a list, or 'caption'")
    negatives = _names(fields.get('negatives', []), 'negatives')
    texts = caption if names is None else _names(names, 'names')
    if not isinstance(texts, (str, list)):
        raise Refused(422, f"'caption' must be a text, got {texts!r:.80}")
    threshold = fields.get('threshold')
    try:
        prompt = make_prompt(texts, fields.get('spans'))
        with_negatives(prompt, negatives)
        thresholds = None if threshold is None else Thresholds.of(threshold)
    except (ImportError, KeyError, TypeError, ValueError) as error:
        raise Refused(422, str(error)) from error
    others = thresholds.of_others(prompt.names) if thresholds else []
    if others:
        raise Refused(422, f"'threshold' has one of {others[0]!r:.80}, which is not looked for")
    count = len(prompt.entities) + len(negatives)
    if count > settings.max_names:
        raise Refused(422, f'{count} names are more than the {settings.max_names} that are taken')
    return Query(pixels, prompt, tuple(negatives), thresholds)


def check_fields(names: Iterable[str]) -> None:
    """Refuse unknown names of fields, with 422."""
    unknown = [name for name in names if name not in FIELDS]
    if unknown:
        raise Refused(422, f'unknown fields {unknown}: the fields are {", ".join(FIELDS)}')


def _names(value: Any, field: str) -> list[str]:
    if not isinstance(value, list) or any(not isinstance(name, str) for name in value):
        raise Refused(422, f"'{field}' must be a list of texts, got {value!r:.80}")
    return value


def json_of(text: str | bytes, what: str) -> Any:
    """Parse JSON of a client.

    Raises:
        Refused: 422 if it is none.
    """
    try:
        return json.loads(text)
    except (RecursionError, ValueError) as error:
        raise Refused(422, f'{what} is no JSON: {error!s:.120}') from None
