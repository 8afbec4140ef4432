"""Writing of videos."""

import os
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from mmengine.logging import MMLogger

from glip_mm.file_lock import writing_into

from .reading import VideoError


class VideoWriter:
    """Write frames as an MP4 file, which has its name only when it is complete.

    The sound of the source is kept where the program ``ffmpeg`` is installed. Use it as a context
    manager: leaving it completes the file, also after Ctrl-C.

    Args:
        path: File to write, ``.mp4``.
        rate: Frames per second.
        sound: Video whose sound is kept; None: no sound.

    Raises:
        FolderInUse: If another process writes this file.
        ValueError: If the name does not end in ``.mp4``.
        VideoError: If OpenCV cannot write such a file.
    """

    def __init__(self, path: str | Path, rate: float, sound: str | None = None) -> None:
        self.path, self.rate, self.sound = Path(path), rate, sound
        if self.path.suffix.lower() != '.mp4':
            raise ValueError(f"'{path}' must end in .mp4: videos are written in that format")
        # what a killed process left there is replaced
        self._folder = self.path.with_name(f'.{self.path.stem}.parts')
        self._lock = ExitStack()
        self._lock.enter_context(writing_into(self._folder))
        self._silent = self._folder / 'silent.mp4'
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)

    def write(self, picture: np.ndarray) -> None:
        """Append a frame, ``[height, width, 3]`` uint8 BGR; others are resized to the first."""
        if self._writer is None:
            height, width = picture.shape[:2]
            self._size = (width - width % 2 or 2, height - height % 2 or 2)  # codecs want even ones
            self._writer = cv2.VideoWriter(str(self._silent), cv2.VideoWriter.fourcc(*'mp4v'),
                                           self.rate, self._size)
            if not self._writer.isOpened():
                raise VideoError(f"OpenCV cannot write '{self.path}' (frames of {self._size}): "
                                 'its build has no MPEG-4 encoder')
        if picture.shape[1::-1] != self._size:
            picture = cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA)
        self._writer.write(np.ascontiguousarray(picture))

    def __enter__(self) -> 'VideoWriter':
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        try:
            if self._writer is not None:
                self._writer.release()
                if kind is None or issubclass(kind, KeyboardInterrupt):
                    os.replace(self._with_sound(), self.path)
        finally:
            self._lock.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _with_sound(self) -> Path:
        """Return the file with the sound of the source, or the silent one."""
        ffmpeg = shutil.which('ffmpeg')
        if self.sound is None or ffmpeg is None:
            return self._silent
        both = self._folder / 'both.mp4'
        done = subprocess.run(
            [ffmpeg, '-v', 'error', '-nostdin', '-y', '-i', str(self._silent), '-i',
             str(Path(self.sound).absolute()), '-map', '0:v', '-map', '1:a?', '-c:v', 'copy',
             '-c:a', 'aac', '-shortest', str(both)], capture_output=True, text=True, check=False)
        if done.returncode or not both.is_file():
            MMLogger.get_current_instance().warning(
                f"the sound of '{self.sound}' is not kept: {' '.join(done.stderr.split())[:200]}")
            return self._silent
        return both
