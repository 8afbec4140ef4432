"""Coordinate search for better prompts: one class at a time, the others stay fixed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from glip_mm.evaluation.class_ap import ClassMatches, difference_interval

from .prompt_candidates import PLAIN, Override, Wordings, wording

#: Minimum number of images of a class for an interval to count: if five images all agree, that
#: happens by chance in 1 of 16 cases (sign test), with six in 1 of 32.
MIN_IMAGES = 6

#: Function from prompts and a title to the matches of all classes under each prompt.
Scorer = Callable[[Sequence[Wordings], str], list[list[ClassMatches]]]


@dataclass(frozen=True)
class Trial:
    """A candidate of a class, with the other classes' words at that moment.

    Attributes:
        round: Number of the round, from 1.
        name: Name of the class.
        override: Override of the candidate; empty for the plain name.
        AP: AP of this class, in 0..1.
        difference: Difference of AP from the plain name.
        interval: 95 % interval of the difference; None without bootstrap, or for the plain name.
        mean_AP: Mean AP of all classes.
        verdict: ``'helps'``, ``'hurts'``, ``'unclear'``, or ``'few images'``; of the plain name
            ``''``. Without bootstrap the sign of the difference decides.
        chosen: Whether the candidate was kept.
    """

    round: int
    name: str
    override: Override
    AP: float
    difference: float
    interval: tuple[float, float] | None
    mean_AP: float
    verdict: str
    chosen: bool = False

    @property
    def words(self) -> str:
        """Return the class's text in the prompt."""
        return wording(self.name, self.override)


@dataclass(frozen=True)
class SearchResult:
    """Result of a search.

    Attributes:
        trials: Trials in order; every round has all classes.
        wordings: Chosen words of classes that do not keep their plain names.
        start_AP: Mean AP before, in 0..1.
        AP: Mean AP with the chosen words.
        interval: 95 % interval of the difference of both; None without bootstrap.
    """

    trials: list[Trial]
    wordings: dict[str, Override]
    start_AP: float
    AP: float
    interval: tuple[float, float] | None


class PromptSearch:
    """Coordinate search for the words of classes.

    One class after the other is tried with all its candidates, while the other classes keep the
    words chosen so far; the candidate with the best AP of that class wins, the current one in case
    of a tie.

    Args:
        classes: All classes, in label order.
        score: Function that scores prompts, see :class:`.prompt_scores.PromptScores`.
        draws: Bootstrap samples ``[S, N]``, see
            :func:`glip_mm.evaluation.class_ap.resampled_images`; None for no intervals.
        certain: Whether only candidates whose interval lies above 0 may be chosen.
    """

    def __init__(self, classes: Sequence[str], score: Scorer, draws: np.ndarray | None = None,
                 certain: bool = False) -> None:
        self.classes, self.score, self.draws = list(classes), score, draws
        self.certain = certain

    def run(self, candidates: Mapping[str, Sequence[Override]], start: Wordings | None = None,
            rounds: int = 1) -> SearchResult:
        """Run the search.

        Args:
            candidates: Candidates of each class to change, the plain name first.
            start: Initial words of classes that do not have their plain names.
            rounds: Maximum number of passes over all classes; one without a change is the last.
        """
        start = {name: (start or {}).get(name, PLAIN) for name in self.classes}
        current, trials = dict(start), []
        for number in range(1, rounds + 1):
            before = dict(current)
            for place, (name, overrides) in enumerate(candidates.items(), 1):
                title = f'round {number}, class {place}/{len(candidates)}: {name}'
                tried = self._try(number, name, overrides, current, title)
                trials += tried
                best = next(t for t in tried if t.chosen)
                current[name] = best.override
            if current == before:
                break
        first, last = self.score([start, current], 'all classes')
        interval = None
        if self.draws is not None:
            interval = difference_interval(*(self._mean(m, self.draws) for m in (first, last)))
        return SearchResult(trials, {n: o for n, o in current.items() if o},
                            float(self._mean(first)[0]), float(self._mean(last)[0]), interval)

    def _try(self, number: int, name: str, overrides: Sequence[Override], current: Wordings,
             title: str) -> list[Trial]:
        label = self.classes.index(name)
        matches = self.score([{**current, name: o} for o in overrides], title)
        values = [float(m[label].average_precision()[0]) for m in matches]
        drawn = None
        if self.draws is not None:
            drawn = [m[label].average_precision(self.draws) for m in matches]
        enough = self.draws is None or (matches[0][label].boxes > 0).sum() >= MIN_IMAGES
        trials = []
        for i, (override, found) in enumerate(zip(overrides, matches)):
            interval = None if drawn is None or not i else difference_interval(drawn[0], drawn[i])
            difference = values[i] - values[0]
            verdict = '' if not i else (
                _verdict(interval or (difference, difference)) if enough else 'few images')
            trials.append(Trial(number, name, override, values[i], difference, interval,
                                float(self._mean(found)[0]), verdict))
        now = [o == current[name] for o in overrides]
        allowed = [i for i, t in enumerate(trials)
                   if not i or now[i] or t.verdict == 'helps' or not self.certain]
        # of equal ones the current one, else the first
        best = max(allowed, key=lambda i: (values[i], now[i], -i))
        return [replace(t, chosen=i == best) for i, t in enumerate(trials)]

    @staticmethod
    def _mean(matches: Sequence[ClassMatches], draws: np.ndarray | None = None) -> np.ndarray:
        """Return the mean AP over the classes that have boxes, ``[S]``."""
        values = np.stack([m.average_precision(draws) for m in matches])
        known = ~np.isnan(values)
        count = known.sum(axis=0)
        return np.where(count > 0, np.where(known, values, 0).sum(axis=0) / np.maximum(count, 1),
                        np.nan)


def _verdict(interval: tuple[float, float]) -> str:
    return 'helps' if interval[0] > 0 else 'hurts' if interval[1] < 0 else 'unclear'


def to_finetune_prompts(result: SearchResult, candidates: Mapping[str, Sequence[Override]],
                        published: Wordings) -> dict[str, dict[str, str]]:
    """Convert the chosen words to the format of ``tools/finetune.py --prompts``.

    A plain name that replaces a published prompt is written as a phrase.
    """
    found = {}
    for name in candidates:
        override = result.wordings.get(name, PLAIN)
        if override == published.get(name, PLAIN):
            continue
        entry = {('phrase' if k == 'name' else k): v for k, v in override.items()}
        found[name] = entry or dict(phrase=wording(name, PLAIN))
    return found
