"""Error of a single sample that cannot be used."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from .data_error import DataError


class BadSample(DataError):
    """Unusable sample of a data set; the data set decides whether to replace it or to stop.

    Args:
        cause: Short name of the fault, such as ``'broken image'``; faults are counted by it.
        where: Place of the sample: file and line, or another way to find it again.
        remedy: Description of the fault and how to correct it.
    """

    def __init__(self, cause: str, where: str = '', remedy: str = '') -> None:
        super().__init__(cause, where, remedy)
        self.cause, self.where, self.remedy = cause, where, remedy

    def __str__(self) -> str:
        return ': '.join(part for part in (self.where, self.cause, self.remedy) if part)


@contextmanager
def naming_the_image(path: str, where: str) -> Iterator[None]:
    """Convert exceptions of image loaders, which often do not name the image, to a bad sample.

    Args:
        path: Path of the image.
        where: Place of the sample: file and line, or another way to find it again.

    Raises:
        BadSample: If the image is missing or broken.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        raise BadSample('missing image', where, f"'{path}' is no regular file: check data_prefix")
    try:
        yield
    except FileNotFoundError as error:
        raise BadSample('missing image', where, f"'{path}': check data_prefix") from error
    # MMCV with OpenCV raises AssertionError, Pillow subclasses of OSError
    except (AssertionError, OSError) as error:
        if isinstance(error, AssertionError) and 'failed to load image' not in str(error):
            raise
        raise BadSample('broken image', where, f"'{path}': it cannot be decoded ({error}); fetch "
                        'it again or drop it') from error


def ends_the_run(error: Exception) -> bool:
    """Return whether an error is about the process rather than about the sample it came with."""
    # PyTorch reports a killed worker by an exception in whatever code the main process runs
    return isinstance(error, MemoryError) or str(error).startswith('DataLoader worker (pid')
