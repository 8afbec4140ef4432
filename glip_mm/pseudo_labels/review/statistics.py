"""Statistics of labels: scores, phrases, rejects."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from glip_mm.datasets.data_error import DataError
from glip_mm.pseudo_labels.export.classes import category_name
from glip_mm.pseudo_labels.label_rows import (
    LabelRow,
    LabelRows,
    instance_name,
    phrase_text,
    region_boxes,
)
from glip_mm.text.safe_json import load_json

#: Number of score bins between 0 and 1, fine enough to choose a threshold.
BINS = 100


@dataclass
class PhraseCount:
    """Counts of a phrase over all captions, normalised as in an export.

    Attributes:
        captions: Number of captions with the phrase.
        without_box: Number of these in which nothing was found.
        boxes: Number of boxes.
        scored: Number of boxes with a score.
        score: Sum of their scores.
    """

    captions: int = 0
    without_box: int = 0
    boxes: int = 0
    scored: int = 0
    score: float = 0.

    @property
    def mean_score(self) -> float:
        """Return the mean score, nan without scores."""
        return self.score / self.scored if self.scored else float('nan')


@dataclass
class LabelStatistics:
    """Statistics of a folder of labels.

    Attributes:
        rows: Number of labelled images.
        captions: Number of these that have a caption; others were asked for class names.
        empty: Number of images without a box.
        boxes: Number of boxes.
        phrases: Name -> its counts.
        box_scores: ``[BINS]`` number of boxes by score.
        phrase_scores: ``[BINS]`` number of phrases by the score of their best box.
        image_scores: ``[BINS]`` number of images by the score of their best box.
        rejects: Cause -> number of samples without labels.
        left_out: Cause -> number of rows and boxes that cannot be used.
    """

    rows: int = 0
    captions: int = 0
    empty: int = 0
    boxes: int = 0
    phrases: dict[str, PhraseCount] = field(default_factory=dict)
    box_scores: np.ndarray = field(default_factory=lambda: np.zeros(BINS, np.int64))
    phrase_scores: np.ndarray = field(default_factory=lambda: np.zeros(BINS, np.int64))
    image_scores: np.ndarray = field(default_factory=lambda: np.zeros(BINS, np.int64))
    rejects: Counter = field(default_factory=Counter)
    left_out: Counter = field(default_factory=Counter)

    def add(self, row: LabelRow, names: dict[int, str]) -> None:
        """Count a row; ``names`` are those of detection labels."""
        self.rows += 1
        self.captions += 'grounding' in row.record
        found: dict[str, list] = {}
        for name, scores in row_phrases(row, names):
            found.setdefault(category_name(name), []).extend(scores)
            self.boxes += len(scores)
            self._add_scores(self.phrase_scores, max(_known(scores), default=None))
            for score in _known(scores):
                self._add_scores(self.box_scores, score)
        self.empty += not any(found.values())
        for name, scores in found.items():
            phrase = self.phrases.setdefault(name, PhraseCount())
            phrase.captions += 1
            phrase.without_box += not scores
            phrase.boxes += len(scores)
            phrase.scored += len(_known(scores))
            phrase.score += sum(_known(scores))
        self._add_scores(self.image_scores, max(
            (s for scores in found.values() for s in _known(scores)), default=None))

    def _add_scores(self, histogram: np.ndarray, score: float | None) -> None:
        if score is not None:
            histogram[min(max(int(score * BINS), 0), BINS - 1)] += 1

    @property
    def asked(self) -> int:
        """Return the number of pairs of a caption and one of its phrases."""
        return sum(phrase.captions for phrase in self.phrases.values())

    @property
    def unanswered(self) -> int:
        """Return the number of such pairs without a box."""
        return sum(phrase.without_box for phrase in self.phrases.values())

    def by_frequency(self) -> list[tuple[str, PhraseCount]]:
        """Return the phrases, the most frequent first."""
        return sorted(self.phrases.items(), key=lambda item: (-item[1].captions, item[0]))


def count_labels(rows: LabelRows, progress: bool = True) -> LabelStatistics:
    """Count all rows, and the rejects beside them.

    Raises:
        ValueError: If no row is usable.
    """
    result = LabelStatistics()
    names = dict(rows.label_map or {})
    for row in rows.walk('counting', progress, result.left_out):
        result.add(row, names)
    result.rejects = count_rejects(rows.path)
    return result


def count_rejects(folder: Path) -> Counter:
    """Count the causes in a run's ``rejects.jsonl``, or in those of its shards while it runs."""
    whole = folder / 'rejects.jsonl'
    causes: Counter = Counter()
    for path in [whole] if whole.is_file() else sorted(folder.glob('rejects/*.jsonl')):
        with open(path, 'rb') as file:
            for number, line in enumerate(file, 1):
                try:
                    causes[str(load_json(line)['cause'])] += 1
                except (ValueError, KeyError, TypeError) as error:
                    raise DataError(f'{path}:{number} is no JSON object with a cause: {error}'
                                    ) from error
    return causes


def row_phrases(row: LabelRow, names: dict[int, str]) -> list[tuple[str, list]]:
    """Return the phrases of a row, also those without boxes, each with the scores of its boxes."""
    if 'detection' in row.record:
        found: dict[str, list] = {}
        for one in row.record['detection']['instances']:
            name = instance_name(one, names) or f"label {one['label']}"
            found.setdefault(name, []).append(one.get('score'))
        return list(found.items())
    content = row.record['grounding']
    return [(phrase_text(region['phrase']), region_boxes(region)[1])
            for region in content['regions']] + [
        (phrase_text(entry['phrase']), []) for entry in content.get('without_box', ())]


def _known(scores: list) -> list[float]:
    return [score for score in scores if score is not None]
