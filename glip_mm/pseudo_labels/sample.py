"""A captioned image."""

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
