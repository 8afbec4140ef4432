"""Counts of samples that were replaced, and the end of a run that replaces too many."""

import multiprocessing

from mmengine.logging import MMLogger

from .bad_sample import BadSample
from .odvg_rules import REMEDIES

#: Causes that are counted by name; all others count as the last.
CAUSES = (*REMEDIES, 'other')


class BadSampleCounter:
    """Counts of unusable samples, shared by all data loader workers of a data set.

    Args:
        name: Name of the data set, for messages.
        max_bad: Maximum share of bad samples.
        patience: Number of samples to read before the share is checked.
    """

    def __init__(self, name: str, max_bad: float, patience: int = 1000) -> None:
        self.name, self.max_bad, self.patience = name, max_bad, patience
        self._counts = multiprocessing.Array('q', len(CAUSES) + 1)

    def __deepcopy__(self, memo: dict) -> 'BadSampleCounter':
        """Return itself: copies of a data set, such as subsets, count together."""
        return self

    @property
    def read(self) -> int:
        """Return the number of samples read."""
        return self._counts[len(CAUSES)]

    @property
    def causes(self) -> dict[str, int]:
        """Return the number of bad samples by cause."""
        return {c: n for c, n in zip(CAUSES, self._counts[:]) if n}

    def count_read(self) -> None:
        """Count a sample that is read."""
        with self._counts.get_lock():
            self._counts[len(CAUSES)] += 1

    def count_bad(self, error: BadSample) -> None:
        """Count a bad sample.

        Raises:
            RuntimeError: If the share of bad samples exceeds ``max_bad``.
        """
        cause = CAUSES.index(error.cause) if error.cause in CAUSES else len(CAUSES) - 1
        with self._counts.get_lock():
            self._counts[cause] += 1
            bad, read = sum(self._counts[:len(CAUSES)]), self._counts[len(CAUSES)]
        summary = ', '.join(f'{c}: {n}' for c, n in self.causes.items())
        if bad & (bad - 1) == 0:  # at 1, 2, 4, 8, ...: the log stays readable
            MMLogger.get_current_instance().warning(
                f"{self.name}: {bad} of {read} samples replaced ({summary}); the last: {error}")
        if read >= self.patience and bad > self.max_bad * read:
            raise RuntimeError(
                f'{self.name}: {bad} of {read} samples are bad ({summary}), more than '
                f'max_bad={self.max_bad}. The last: {error}. Mend the data, or raise max_bad')
