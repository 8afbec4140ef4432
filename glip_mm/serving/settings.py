"""What a server accepts, and how it refuses."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ServerSettings:
    """Limits of a server.

    Args:
        max_batch: Number of images per forward pass, at most.
        max_wait: Milliseconds that an image waits for others of its size.
        max_queue: Number of requests in work, read, waiting or detected in; others are told to
            come back.
        timeout: Seconds from a request's headers to its answer.
        max_bytes: Size of a request's body or of an image file.
        max_pixels: Number of pixels of an image.
        max_names: Number of names in a prompt, negatives included.
        token: What clients must show; None: nothing.
        media_root: Folder of Label Studio's images; None: only those in the requests are read.

    Raises:
        ValueError: If a limit is not positive, or the token is empty.
        FileNotFoundError: If the folder does not exist.
    """

    max_batch: int = 8
    max_wait: float = 5.
    max_queue: int = 32
    timeout: float = 60.
    max_bytes: int = 32_000_000
    max_pixels: int = 25_000_000
    max_names: int = 2000
    token: str | None = None
    media_root: Path | None = None

    def __post_init__(self) -> None:
        for name in ('max_batch', 'max_queue', 'timeout', 'max_bytes', 'max_pixels', 'max_names'):
            if not getattr(self, name) > 0:
                raise ValueError(f'{name}={getattr(self, name)} must be positive')
        if not self.max_wait >= 0:
            raise ValueError(f'max_wait={self.max_wait} must not be negative')
        if self.token is not None and not self.token.strip():
            raise ValueError('the token is empty: give a long random text, or none')
        if self.media_root is not None and not self.media_root.is_dir():
            raise FileNotFoundError(f"media_root '{self.media_root}' is no folder")


class Refused(Exception):
    """A request that is not answered.

    Args:
        status: Status of HTTP.
        message: One sentence that says why.
        headers: Headers of the answer.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers
