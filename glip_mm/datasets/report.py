"""Counts of what a reader read, changed and left out."""

import logging
from collections import Counter
from dataclasses import dataclass, field

from mmengine.logging import MMLogger

#: Cause for boxes that are usable themselves but belong to a dropped row.
WITH_ITS_ROW = 'box of a row that is left out'
#: Summaries that this process has logged: a file is read for several purposes in a run.
_logged: set[str] = set()


@dataclass
class Report:
    """Counts of a reading; those of a generator of records are complete after its iteration.

    Attributes:
        source: Path of the source file.
        rows_read: Number of rows in the source: images, or pairs of an image and a sentence.
        rows_written: Number of rows that were kept.
        boxes_read: Number of boxes in the source.
        boxes_written: Number of boxes that were kept, ignored ones included.
        dropped: Cause -> number of dropped boxes or rows.
        changed: Correction -> number of corrected boxes or rows.
        examples: Cause -> place of the first occurrence.
    """

    source: str
    rows_read: int = 0
    rows_written: int = 0
    boxes_read: int = 0
    boxes_written: int = 0
    dropped: Counter = field(default_factory=Counter)
    changed: Counter = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def drop(self, cause: str, where: str, count: int = 1) -> None:
        """Count dropped boxes or rows."""
        if count:
            self.dropped[cause] += count
            self.examples.setdefault(cause, where)

    def change(self, what: str, where: str) -> None:
        """Count a correction of a box or row."""
        self.changed[what] += 1
        self.examples.setdefault(what, where)

    def add(self, other: 'Report') -> None:
        """Add what was read and counted elsewhere, such as in one of many files."""
        self.rows_read += other.rows_read
        self.boxes_read += other.boxes_read
        self.dropped.update(other.dropped)
        self.changed.update(other.changed)
        self.examples = other.examples | self.examples

    def lines(self) -> list[str]:
        """Describe what was left out and changed, a cause a line."""
        return [f'{title}: {count} x {cause} (first: {self.examples[cause]})'
                for title, counts in (('left out', self.dropped), ('changed', self.changed))
                for cause, count in counts.most_common()]

    def summary(self) -> str:
        """Format all counts, one per line.

        Example:
            >>> report = Report('a.json', 2, 2, 5, 4)
            >>> report.drop('box one pixel thin or less', 'annotation id 7')
            >>> print(report.summary())
            a.json: 2 of 2 rows written, 4 of 5 boxes
              left out: 1 x box one pixel thin or less (first: annotation id 7)
        """
        return '\n  '.join([
            f'{self.source}: {self.rows_written} of {self.rows_read} rows written, '
            f'{self.boxes_written} of {self.boxes_read} boxes', *self.lines()])

    def log(self) -> None:
        """Log what was left out or changed, once per process."""
        lines = '\n  '.join(self.lines())
        text = f'{self.source}: read with corrections\n  {lines}'
        if lines and text not in _logged:
            _logged.add(text)
            MMLogger.get_current_instance().log(
                logging.WARNING if self.dropped else logging.INFO, text)
