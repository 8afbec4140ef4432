"""Counts of samples that were replaced and of boxes that were dropped, and when they end a run."""

import multiprocessing
import traceback
from collections.abc import Sequence

from mmengine.logging import MMLogger

from .bad_sample import BadSample
from .odvg_rules import Problem

#: Number of causes that are counted by name, and bytes of a name; all others count as 'other'.
_SLOTS, _LENGTH = 62, 48
#: Share of dropped boxes that ends a run: that of a wrong label map, or of boxes in other units.
MAX_DROPPED = 0.5
#: Number of samples to read before a share is checked.
PATIENCE = 1000
#: Number of first samples that may fail with errors of code, rather than of data.
MAX_FIRST_FAILURES = 10


class SharedCauses:
    """Counts by cause, shared by all data loader workers; not safe without :attr:`lock`."""

    def __init__(self) -> None:
        self._counts = multiprocessing.Array('q', _SLOTS + 2)
        self._names = multiprocessing.Array('c', (_SLOTS + 1) * _LENGTH, lock=False)
        self.lock = self._counts.get_lock()

    @property
    def total(self) -> int:
        """Return the number of all things that were looked at."""
        return self._counts[_SLOTS + 1]

    def add(self, number: int) -> None:
        """Count things that were looked at."""
        self._counts[_SLOTS + 1] += number

    def count(self, cause: str) -> int:
        """Count an occurrence of a cause; return the number of its occurrences."""
        name = cause.encode()[:_LENGTH].decode(errors='ignore').encode()
        slot = 0
        while slot < _SLOTS and self._counts[slot] and self._name(slot) != name:
            slot += 1
        if not self._counts[slot]:
            place = slot * _LENGTH
            self._names[place:place + _LENGTH] = (
                name if slot < _SLOTS else b'other').ljust(_LENGTH, b'\0')
        self._counts[slot] += 1
        return self._counts[slot]

    def _name(self, slot: int) -> bytes:
        return bytes(self._names[slot * _LENGTH:(slot + 1) * _LENGTH]
                     ).rstrip(b'\0')

    @property
    def causes(self) -> dict[str, int]:
        """Return the counts by cause, in the order of their first occurrences."""
        return {self._name(slot).decode(): count
                for slot, count in enumerate(self._counts[:_SLOTS + 1]) if count}

    def __str__(self) -> str:
        return ', '.join(f'{cause}: {count}' for cause, count in self.causes.items())


class _Counter:
    """Counts that all data loader workers of a data set share."""

    def __init__(self, name: str, patience: int) -> None:
        self.name, self.patience = name, patience
        self._counts = SharedCauses()

    @property
    def read(self) -> int:
        """Return the number of samples, or boxes, read."""
        return self._counts.total

    @property
    def causes(self) -> dict[str, int]:
        """Return the number of bad ones by cause."""
        return self._counts.causes


class BadSampleCounter(_Counter):
    """Counts of unusable samples, shared by all data loader workers of a data set.

    Args:
        name: Name of the data set, for messages.
        max_bad: Maximum share of bad samples.
        patience: Number of samples to read before the share is checked.
    """

    def __init__(self, name: str, max_bad: float, patience: int = PATIENCE) -> None:
        super().__init__(name, patience)
        self.max_bad = max_bad
        self._good = multiprocessing.Value('b', 0, lock=False)

    def __deepcopy__(self, memo: dict) -> 'BadSampleCounter':
        """Return itself: copies of a data set, such as subsets, count together."""
        return self

    def count_read(self) -> None:
        """Count a sample that is read."""
        with self._counts.lock:
            self._counts.add(1)

    def note_good(self) -> None:
        """Note that the pipeline can prepare a sample."""
        self._good.value = 1

    def count_bad(self, error: Exception, where: str = '') -> None:
        """Count a sample that raised an error, and log it.

        Args:
            error: A :class:`BadSample`, which is counted by its cause, or any other error: it is
                counted by its class, and the first of each class is logged with its traceback.
            where: Place of the sample; a :class:`BadSample` knows it.

        Raises:
            RuntimeError: If the share of bad samples exceeds ``max_bad``.
            Exception: ``error`` itself, if it comes from code and no sample can be prepared.
        """
        known = isinstance(error, BadSample)
        cause = error.cause if isinstance(error, BadSample) else type(error).__name__
        with self._counts.lock:
            again = self._counts.count(cause)
            bad, read, summary = sum(self.causes.values()), self.read, str(self._counts)
        last = str(error) if known else f'{where}: {cause}: {error}'
        if not known and not self._good.value and bad >= MAX_FIRST_FAILURES:
            raise error
        if bad & (bad - 1) == 0 or not known and again == 1:  # 1, 2, 4, 8: the log stays readable
            MMLogger.get_current_instance().warning(
                f'{self.name}: {bad} of {read} samples replaced ({summary}); the last: {last}'
                + ('' if known or again > 1 else '\n' + ''.join(
                    traceback.format_exception(error))))
        if read >= self.patience and bad > self.max_bad * read:
            raise RuntimeError(
                f'{self.name}: {bad} of {read} samples are bad ({summary}), more than '
                f'max_bad={self.max_bad}. The last: {last}. Mend the data, or raise max_bad'
            ) from error


class DroppedBoxCounter(_Counter):
    """Counts of boxes that are dropped from samples, shared by all workers of a data set.

    Args:
        name: Name of the data set, for messages.
        patience: Number of boxes to read before their share is checked.
    """

    def __init__(self, name: str, patience: int = PATIENCE) -> None:
        super().__init__(name, patience)

    @property
    def share(self) -> float:
        """Return the share of dropped boxes."""
        return sum(self.causes.values()) / max(self.read, 1)

    def __str__(self) -> str:
        return f'{sum(self.causes.values())} of {self.read} boxes left out ({self._counts})'

    def count(self, boxes: int, dropped: Sequence[Problem], where: str) -> None:
        """Count the boxes of a row, and log dropped ones.

        Args:
            boxes: Number of boxes.
            dropped: Fault of each dropped one.
            where: Place of the row.
        """
        with self._counts.lock:
            self._counts.add(boxes)
            if not dropped:
                return
            before = sum(self.causes.values())
            for fault in dropped:
                self._counts.count(fault.cause)
            summary, now = str(self), before + len(dropped)
        if now.bit_length() > before.bit_length():
            MMLogger.get_current_instance().warning(
                f'{self.name}: {summary}; the last: {where}: {dropped[-1]}')

    def check(self) -> None:
        """Check the share of dropped boxes.

        Raises:
            RuntimeError: If more than :data:`MAX_DROPPED` of all boxes were dropped.
        """
        if self.read >= self.patience and self.share > MAX_DROPPED:
            raise RuntimeError(f'{self.name}: {self}, more than half of all: no training survives '
                               'that. Mend the data, or give the label map that belongs to them')
