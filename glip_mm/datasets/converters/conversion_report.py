"""What a conversion read, wrote and left out: nothing is dropped without being counted."""

from collections import Counter
from dataclasses import dataclass, field

#: Cause for boxes that are usable themselves.
WITH_ITS_ROW = 'box of a row that is left out'


@dataclass
class Report:
    """Counts of one conversion, filled while its records are drawn.

    Attributes:
        source: File that is read.
        rows_read: Rows of the source: images, or pairs of an image and a sentence.
        rows_written: Records made of them.
        boxes_read: Boxes of the source.
        boxes_written: Boxes in the records, the ignored ones among them.
        dropped: Cause -> number of boxes or rows left out for it.
        changed: What was mended -> number of boxes or rows it was mended in.
        examples: Cause -> where it was met first.
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
        """Count something that is left out."""
        if count:
            self.dropped[cause] += count
            self.examples.setdefault(cause, where)

    def change(self, what: str, where: str) -> None:
        """Count something that is kept, but not as it was."""
        self.changed[what] += 1
        self.examples.setdefault(what, where)

    def summary(self) -> str:
        """All counts, one a line.

        Example:
            >>> report = Report('a.json', 2, 2, 5, 4)
            >>> report.drop('box one pixel thin or less', 'annotation id 7')
            >>> print(report.summary())
            a.json: 2 of 2 rows written, 4 of 5 boxes
              left out: 1 x box one pixel thin or less (first: annotation id 7)
        """
        lines = [f'{self.source}: {self.rows_written} of {self.rows_read} rows written, '
                 f'{self.boxes_written} of {self.boxes_read} boxes']
        for title, counts in (('left out', self.dropped), ('changed', self.changed)):
            lines += [f'  {title}: {count} x {cause} (first: {self.examples[cause]})'
                      for cause, count in counts.most_common()]
        return '\n'.join(lines)
