"""Reading of videos, cameras and streams frame by frame, ahead of who uses them."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event, Thread
from time import monotonic
from typing import NamedTuple

import cv2
import numpy as np
from mmengine.logging import MMLogger

from glip_mm.image_decoding import check_pixels

#: Frames per second of a source that does not say.
USUAL_RATE = 25.
#: Number of damaged frames in a row after which nothing more is expected.
GIVE_UP = 250
#: Seconds without a frame after which nothing more is expected of a source without a length.
PATIENCE = 5.


class VideoError(ValueError):
    """A video that cannot be used; the message names the source and the cause."""


class Frame(NamedTuple):
    """A frame of a video."""
    #: Position in the video, from 0.
    index: int  # type: ignore[assignment]  # hides tuple.index
    #: Time from its beginning.
    seconds: float
    #: ``[height, width, 3]`` uint8 BGR.
    pixels: np.ndarray


class VideoReader:
    """Iterate over the frames of a video once; a thread decodes a few of them ahead.

    Frames that are broken are left out and counted. Memory does not depend on the length.

    Args:
        source: Path or address of a video, address of a stream, or number of a camera (``'0'``).
        every: Distance of the frames to read; those between are not decoded.
        ahead: Number of frames that may wait.

    Attributes:
        rate: Frames per second of the source.
        count: Number of frames of the source; None if it does not say, as streams do not.
        size: Width and height in pixels.
        broken: Number of frames left out so far.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If ``every`` or ``ahead`` is not positive.
        VideoError: If the source is no video that OpenCV can read.
    """

    def __init__(self, source: str | Path, every: int = 1, ahead: int = 8) -> None:
        for name, value in (('every', every), ('ahead', ahead)):
            if value < 1:
                raise ValueError(f'{name}={value} must be at least 1')
        self.source, self.every, self.ahead, self.broken = str(source), every, ahead, 0
        fault = f'cannot be opened as a video by OpenCV {cv2.__version__}: '
        if self.source.isdecimal():
            fault += 'there is no camera of this number, or another program uses it'
            with _quiet():
                self._capture = cv2.VideoCapture(int(self.source))
        elif '://' in self.source or Path(self.source).is_file():
            fault += ('nothing answers there, or it sends no video' if '://' in self.source else
                      'it is damaged, or its format is not supported (ffmpeg -i FILE -c:v libx264 '
                      'new.mp4 converts it); pictures go to demo/image_demo.py')
            self._capture = cv2.VideoCapture(self.source)
        else:
            raise FileNotFoundError(f"video '{source}' is no file, no address and no number of a "
                                    'camera')
        self.size = tuple(int(self._capture.get(key)) for key in (
            cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if not self._capture.isOpened() or min(self.size) < 1:
            raise VideoError(f"'{source}' {fault}")
        try:
            width, height = self.size
            check_pixels(width, height, 'a frame is said to be', 'make the video smaller')
        except ValueError as error:
            raise VideoError(f"'{source}': {error}") from None
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if 0 < rate < 1000 else USUAL_RATE
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.count = int(count) if 0 < count < 1 << 40 else None

    def close(self) -> None:
        """Release the file or the camera; the end of an iteration does so, too."""
        self._capture.release()

    def __iter__(self) -> Generator[Frame, None, None]:
        waiting: Queue[Frame | BaseException | None] = Queue(self.ahead)
        stopped = Event()
        thread = Thread(target=self._fill, args=(waiting, stopped), daemon=True)
        thread.start()
        try:
            while (entry := waiting.get()) is not None:
                if isinstance(entry, BaseException):
                    raise entry
                yield entry
        finally:
            stopped.set()
            while thread.is_alive():  # it may wait for room
                try:
                    waiting.get_nowait()
                except Empty:
                    thread.join(0.01)
            self.close()

    def _fill(self, waiting: Queue, stopped: Event) -> None:
        def put(entry: Frame | BaseException | None) -> bool:
            while not stopped.is_set():
                try:
                    waiting.put(entry, timeout=0.1)
                    return True
                except Full:
                    continue
            return False

        try:
            for frame in self._decode():
                if not put(frame):
                    return
            put(None)
        except Exception as error:  # of a driver: it belongs to who reads the frames
            put(error)

    def _decode(self) -> Iterator[Frame]:
        read = missed = lost = 0
        for index in count():
            begun = monotonic()
            there = self._capture.grab()
            missed = 0 if there else missed + 1
            if not there:  # a damaged frame, or the end
                silent = monotonic() - begun
                if self.count is None and silent > PATIENCE:
                    MMLogger.get_current_instance().warning(
                        f"'{self.source}' sent nothing for {silent:.0f} seconds: it ends here")
                    break
                if missed > GIVE_UP or self.count is not None and index >= self.count:
                    break
            if index % self.every:
                continue
            known, pixels = self._capture.retrieve() if there else (False, None)
            if known and pixels is not None and pixels.size:
                self.broken, lost, read = self.broken + lost, 0, read + 1
                yield Frame(index, index / self.rate, pixels)
            else:
                lost += 1
        if self.count is not None:  # others do not say whether more was to come
            self.broken += lost
        if not read:
            raise VideoError(f"'{self.source}' has no frame that can be decoded")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep OpenCV from telling of each way in which it did not find a camera."""
    log = cv2.utils.logging
    level = log.getLogLevel()
    log.setLogLevel(log.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        log.setLogLevel(level)
