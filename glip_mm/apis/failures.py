"""Images of a run that cannot be used: they cost themselves and nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from mmengine.logging import MMLogger

from glip_mm_cli.ending import no_room

from .inputs import ImageError


class FailedImage(NamedTuple):
    """An image that could not be used, and why."""
    index: int  # type: ignore[assignment]  # hides tuple.index
    path: str
    message: str


class Failures:
    """Images of a run that failed; a run of one image ends with its error.

    Args:
        alone: Whether the run has one image.

    Attributes:
        failed: Those that failed so far.
    """

    def __init__(self, alone: bool) -> None:
        self.alone, self.failed = alone, list[FailedImage]()

    @contextmanager
    def of(self, index: int, image: Any) -> Iterator[None]:
        """Record whatever is raised as a failure of an image."""
        try:
            yield
        except Exception as error:  # decoders, transforms, models and writers have their own
            if self.alone or no_room(error):
                raise  # on a full disk all others would fail, too
            name = printable(image) if isinstance(image, str) else f'input {index}'
            text = printable(str(error))
            if not isinstance(error, (FileNotFoundError, ImageError)):
                text = f"image '{name}': {' '.join(text.split()) or type(error).__name__}"
            self.failed.append(FailedImage(index, name, text))

    def report(self, total: int) -> None:
        """Log the failures; raise a ValueError if nothing came of any image."""
        if not self.failed:
            return
        if len(self.failed) == total:
            raise ValueError(f'none of the {total} images could be used, drawn or written; the '
                             f'first: {self.failed[0].message}')
        lines = '\n'.join(f'  {entry.message}' for entry in self.failed)
        MMLogger.get_current_instance().warning(
            f'{len(self.failed)} of {total} images could not be used, drawn or written:\n{lines}')


def printable(text: str) -> str:
    """Replace what no terminal can show: bytes of a file name that is not UTF-8."""
    return text.encode(errors='backslashreplace').decode()
