"""What a teacher is asked about an image: the phrases of its caption, or class names."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from glip_mm.box_iou import outscored
from glip_mm.text import Prompt
from glip_mm.text.names import listed
from glip_mm.text.noun_phrases import NounPhraseFinder, Phrases

from .counts import said_count
from .sample import Reject, Sample, error_detail
from .selection import BoxSelection, detection_record, grounding_record

#: Determiners, which do not change the meaning of a phrase for detection.
DETERMINERS = ('a', 'an', 'the', 'this', 'that', 'these', 'those', 'some', 'any', 'each', 'every')


class Found(NamedTuple):
    """Boxes of an image, best first."""

    #: ``[n, 4]`` xyxy in pixels, inside the image, after NMS within each name.
    boxes: np.ndarray
    #: ``[n]``
    scores: np.ndarray
    #: ``[n]`` indices of the prompt's entities.
    labels: np.ndarray


class Question(Protocol):
    """What is looked for, and the form of the answer."""

    def prompt(self, sample: Sample) -> Prompt | Reject:
        """Return the prompt of an image; thread-safe."""

    def content(self, sample: Sample, prompt: Prompt, found: Found, selection: BoxSelection
                ) -> dict | None:
        """Return the part of an ODVG row that the boxes become; None: nothing was found."""

    def least_score(self, selection: BoxSelection) -> float:
        """Return the score below which no box is wanted."""

    def facts(self) -> dict[str, Any]:
        """Return everything that labels depend on, by name."""


class CaptionPhrases:
    """The noun phrases of each image's caption.

    Args:
        find_phrases: Thread-safe function from a caption to phrases with their spans; default: a
            :class:`~glip_mm.text.NounPhraseFinder`.
        determiners: Whether phrases keep their determiners ("a dog"), as published, or not ("dog").
    """

    def __init__(self, find_phrases: Callable[[str], Phrases] | None = None,
                 determiners: bool = True) -> None:
        self.find_phrases = find_phrases or NounPhraseFinder()
        self.determiners = determiners

    def prompt(self, sample: Sample) -> Prompt | Reject:
        """Return the caption with its phrases."""
        if not sample.caption:
            return Reject(sample, 'no caption', sample.detail)
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
            return Prompt.from_caption(sample.caption, [[list(span)] for _, span in phrases],
                                       [words for words, _ in phrases])
        except Exception as error:  # of a parser
            return Reject(sample, 'broken caption', error_detail(error))

    def content(self, sample: Sample, prompt: Prompt, found: Found, selection: BoxSelection
                ) -> dict | None:
        """Return the phrases with their boxes."""
        phrases = [(entity.name, entity.spans[0]) for entity in prompt.entities]
        chosen = selection.choose(*found, [said_count(prompt.caption, span) for _, span in phrases])
        if not any(map(len, chosen)):
            return None
        return dict(grounding=grounding_record(prompt.caption, phrases, found.boxes, found.scores,
                                               chosen))

    def least_score(self, selection: BoxSelection) -> float:
        """Return the threshold of the selection."""
        return selection.threshold

    def facts(self) -> dict[str, Any]:
        """Return whether determiners stay, and the version of the phrase finder."""
        return dict(determiners=self.determiners,
                    phrases=getattr(self.find_phrases, 'version', ''))


class ClassNames:
    """The same class names in each image, as many as one likes.

    Args:
        names: Names of the classes; a label is an index into them.
        overrides: Class -> ``{prefix, name, suffix}``, see :meth:`glip_mm.text.Prompt.from_names`.
        thresholds: Class -> score that its boxes must exceed, in place of the selection's.
        negatives: Names that compete and are not written: a box is dropped where one of a negative
            name with at least its score overlaps it with an IoU of at least 0.5.

    Raises:
        ValueError: If there is no name, one comes twice, or a threshold is of no class.
    """

    def __init__(self, names: Sequence[str],
                 overrides: Mapping[str, Mapping[str, str]] | None = None,
                 thresholds: Mapping[str, float] | None = None,
                 negatives: Sequence[str] = ()) -> None:
        self.names, self.negatives = listed(names), listed(negatives)
        self.thresholds = dict(thresholds or {})
        asked = [*self.names, *self.negatives]
        twice = [name for name, count in Counter(asked).items() if count > 1]
        if twice:
            raise ValueError(f'{twice[0]!r} comes twice among classes and negatives: keep one')
        unknown = [name for name in self.thresholds if name not in self.names]
        if unknown:
            raise ValueError(f'there is a threshold of {unknown[0]!r}, which is none of the '
                             f'classes {self.names}')
        #: Prompt of every image: the names, then the negatives.
        self.asked = Prompt.from_names(asked, caption_prompt=dict(overrides or {}) or None)

    def prompt(self, sample: Sample) -> Prompt:
        """Return the prompt of all names, which is that of every image."""
        return self.asked

    def content(self, sample: Sample, prompt: Prompt, found: Found, selection: BoxSelection
                ) -> dict:
        """Return the boxes with their classes; an image without any is an answer, too."""
        boxes, scores, labels = found
        rival = labels >= len(self.names)
        good = ~rival & ~outscored(boxes, scores, boxes[rival], scores[rival])
        found = Found(boxes[good], scores[good], labels[good])
        chosen = selection.choose(*found, [None] * len(self.names), self._least_scores(selection))
        return dict(detection=detection_record(self.names, *found, chosen))

    def least_score(self, selection: BoxSelection) -> float:
        """Return the lowest threshold of a class."""
        return min(self._least_scores(selection))

    def _least_scores(self, selection: BoxSelection) -> list[float]:
        return [self.thresholds.get(name, selection.threshold) for name in self.names]

    def facts(self) -> dict[str, Any]:
        """Return names, prompt and thresholds."""
        return dict(classes=self.names, negatives=self.negatives, prompt=self.asked.caption,
                    thresholds=self.thresholds)


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
