"""An image to be labelled, and the reason for which it is not."""

from pathlib import Path
from typing import NamedTuple


class Sample(NamedTuple):
    """An image with its caption."""

    #: File name in the data; for a shard the name within it.
    name: str
    #: Caption, None if there is none.
    caption: str | None
    #: Encoded image as bytes or path.
    image: bytes | Path | None
    #: Other fields of the JSON in a tar shard.
    fields: dict[str, object]
    #: Cause for which it cannot be labelled, if that was found while reading, with details.
    fault: str = ''
    detail: str = ''


class Reject(NamedTuple):
    """A sample without labels, and the reason."""

    sample: Sample
    cause: str
    detail: str = ''

    def record(self) -> dict:
        """Return a line of ``rejects.jsonl``."""
        return dict(filename=self.sample.name, cause=self.cause,
                    **(dict(detail=self.detail) if self.detail else {}))


def error_detail(error: Exception) -> str:
    """Return the detail of a reject that an error caused."""
    return f'{type(error).__name__}: ' + ' '.join(str(error).split())[:200]
