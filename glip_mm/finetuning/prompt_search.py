"""The search for better words: class after class, the others stay as they are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from glip_mm.evaluation.class_ap import ClassMatches, difference_interval

from .prompt_candidates import PLAIN, Override, Wordings, wording

#: Images that hold a class below which no interval is believed: if five images all say the same,
#: that happens by chance in 1 of 16 cases (sign test), with six in 1 of 32.
MIN_IMAGES = 6

#: Prompts and a title -> the matches of all classes under each.
Scorer = Callable[[Sequence[Wordings], str], list[list[ClassMatches]]]


@dataclass(frozen=True)
class Trial:
    """One candidate of one class, with the other classes as they were at that moment.

    Attributes:
        round: From 1.
        name: The class.
        override: The candidate; empty for the plain name.
        AP: Of this class, a share of 1.
        difference: From the plain name.
        interval: 95 % interval of the difference; None without bootstrap, or for the plain name.
        mean_AP: Of all classes.
        verdict: ``'helps'``, ``'hurts'``, ``'unclear'``, or ``'few images'``; of the plain name
            ``''``. Without bootstrap the difference alone says it.
        chosen: Whether it was kept.
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
        """How the class stands in the prompt."""
        return wording(self.name, self.override)


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        trials: In order; a class is in every round.
        wordings: The chosen words of classes that do not stand as they are called.
        start_AP: Mean AP before, a share of 1.
        AP: Mean AP with the chosen words.
        interval: 95 % interval of the difference of both; None without bootstrap.
    """

    trials: list[Trial]
    wordings: dict[str, Override]
    start_AP: float
    AP: float
    interval: tuple[float, float] | None


class PromptSearch:
    """Coordinate search.

    One class after the other is said in every way that is to be tried, with the words that were
    chosen so far for the other classes; the best AP of that class wins, what is said already if
    equal.

    Args:
        classes: All classes, in label order.
        score: Scores prompts, see :class:`.prompt_scores.PromptScores`.
        draws: Bootstrap samples ``[S, N]``, see
            :func:`glip_mm.evaluation.class_ap.resampled_images`; None for no intervals.
        certain: Choose nothing new but what helps, as its interval says.
    """

    def __init__(self, classes: Sequence[str], score: Scorer, draws: np.ndarray | None = None,
                 certain: bool = False) -> None:
        self.classes, self.score, self.draws = list(classes), score, draws
        self.certain = certain

    def run(self, candidates: Mapping[str, Sequence[Override]], start: Wordings | None = None,
            rounds: int = 1) -> SearchResult:
        """Search.

        Args:
            candidates: Of each class that is to be changed, the plain name first.
            start: Words at the beginning, where they are not the plain names.
            rounds: Passes over all classes; a pass that changes nothing is the last.
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
        # of equal ones what is said already, else the first
        best = max(allowed, key=lambda i: (values[i], now[i], -i))
        return [replace(t, chosen=i == best) for i, t in enumerate(trials)]

    @staticmethod
    def _mean(matches: Sequence[ClassMatches], draws: np.ndarray | None = None) -> np.ndarray:
        """Mean AP over the classes that have boxes, ``[S]``."""
        values = np.stack([m.average_precision(draws) for m in matches])
        known = ~np.isnan(values)
        count = known.sum(axis=0)
        return np.where(count > 0, np.where(known, values, 0).sum(axis=0) / np.maximum(count, 1),
                        np.nan)


def _verdict(interval: tuple[float, float]) -> str:
    return 'helps' if interval[0] > 0 else 'hurts' if interval[1] < 0 else 'unclear'


def to_finetune_prompts(result: SearchResult, candidates: Mapping[str, Sequence[Override]],
                        published: Wordings) -> dict[str, dict[str, str]]:
    """The chosen words as ``tools/finetune.py --prompts`` reads them.

    A plain name that takes the place of a published prompt is written as a phrase.
    """
    found = {}
    for name in candidates:
        override = result.wordings.get(name, PLAIN)
        if override == published.get(name, PLAIN):
            continue
        entry = {('phrase' if k == 'name' else k): v for k, v in override.items()}
        found[name] = entry or dict(phrase=wording(name, PLAIN))
    return found
