"""Phrases of a caption: words, spans, and the boxes that share them."""

from collections.abc import Sequence
from typing import Any

from glip_mm.datasets.report import Report

BAD_SPAN = 'span that is empty or ends past the caption'
NO_SPAN = 'box without a phrase'


def words(caption: str, spans: Sequence[Sequence[int]]) -> str:
    """Join the words of a phrase; separate pieces are joined by a space.

    Example:
        >>> words('a dog on a red sofa', [[0, 5], [13, 19]])
        'a dog red sofa'
    """
    return ' '.join(caption[begin:end] for begin, end in spans)


def pairs_of(spans: object, report: Report, where: str) -> list[list[int]]:
    """Return the spans that are two whole numbers; count the others."""
    pairs = []
    for span in spans if isinstance(spans, (list, tuple)) else ():
        if (isinstance(span, list) and len(span) == 2
                and all(type(end) is int and abs(end) < 1 << 31 for end in span)):
            pairs.append(span)
        else:
            report.drop('span that is not a pair of whole numbers', where)
    return pairs


def good_spans(caption: str, spans: Sequence[Sequence[int]], report: Report, where: str
               ) -> list[list[int]]:
    """Return the spans that lie in the caption, unchanged; count the others."""
    good = []
    for begin, end in spans:
        if 0 <= begin < end <= len(caption):
            good.append([begin, end])
        else:
            report.drop(BAD_SPAN, where)
    return good


class Regions:
    """Boxes of a caption, grouped by region: boxes with identical spans become one region."""

    def __init__(self, caption: str) -> None:
        self.caption = caption
        self._boxes: dict[tuple, list[list[float]]] = {}
        self._scores: dict[tuple, list[float]] = {}

    def add(self, bbox: list[float], spans: Sequence[Sequence[int]], score: float | None = None
            ) -> None:
        """Add a box ``[x1, y1, x2, y2]``."""
        key = tuple(map(tuple, spans))
        self._boxes.setdefault(key, []).append(bbox)
        if score is not None:
            self._scores.setdefault(key, []).append(score)

    def regions(self) -> list[dict]:
        """Build ODVG regions: a single box as it is, several in a list; scores likewise."""
        found = []
        for key, boxes in self._boxes.items():
            region: dict[str, Any] = dict(
                bbox=boxes if len(boxes) > 1 else boxes[0], phrase=words(self.caption, key),
                tokens_positive=[list(span) for span in key])
            scores = self._scores.get(key)
            if scores:
                region['score'] = scores if len(boxes) > 1 else scores[0]
            found.append(region)
        return found
