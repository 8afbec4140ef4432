"""The error of a single sample that cannot be used."""

from collections.abc import Iterator
from contextlib import contextmanager

from .data_error import DataError


class BadSample(DataError):
    """One sample of a data set is unusable; the data set decides whether to replace it or to stop.

    Args:
        cause: Short and the same for all such faults, for example ``'broken image'``: it is
            counted.
        where: File and line, or whatever finds the sample again.
        remedy: What was found and what to do.
    """

    def __init__(self, cause: str, where: str = '', remedy: str = '') -> None:
        super().__init__(cause, where, remedy)
        self.cause, self.where, self.remedy = cause, where, remedy

    def __str__(self) -> str:
        return ': '.join(part for part in (self.where, self.cause, self.remedy) if part)


@contextmanager
def naming_the_image(path: str, where: str) -> Iterator[None]:
    """Turn what loaders raise, which often does not say which image it is, into a bad sample.

    Args:
        path: The image.
        where: File and line, or whatever finds the sample again.

    Raises:
        BadSample: If the image is missing or broken.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise BadSample('missing image', where, f"'{path}': check data_prefix") from error
    # MMCV asserts with OpenCV, Pillow has several errors
    except (AssertionError, OSError) as error:
        if isinstance(error, AssertionError) and 'failed to load image' not in str(error):
            raise
        raise BadSample('broken image', where, f"'{path}': it cannot be decoded; fetch it again "
                        'or drop it') from error
