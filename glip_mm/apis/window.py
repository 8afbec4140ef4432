"""Windows that show pictures."""

from collections.abc import Callable

import numpy as np


def require_display() -> None:
    """Check that pictures can be shown.

    Raises:
        ValueError: If there is no display.
    """
    from matplotlib import pyplot
    if pyplot.get_backend().lower() == 'agg':
        raise ValueError('show needs a display, and there is none (DISPLAY is not set, or '
                         'matplotlib has no toolkit): leave it out and look at the saved pictures')


def show_picture(picture: np.ndarray, name: str = 'glip_mm', wait_time: float = 0) -> None:
    """Show a picture in a window.

    Args:
        picture: ``[height, width, 3]`` uint8 RGB.
        name: Title of the window.
        wait_time: Seconds that it stays; 0: until a key is pressed.

    Raises:
        ValueError: If there is no display.
    """
    require_display()
    from glip_mm.visualization import GroundingVisualizer
    GroundingVisualizer(f'glip_mm_{name}').show(picture, win_name=name, wait_time=wait_time)


def frame_window(wait_time: float = 0.001, name: str = 'glip_mm') -> Callable[[np.ndarray], bool]:
    """Open a window for the frames of a video.

    Args:
        wait_time: Seconds that each frame stays.
        name: Title of the window.

    Returns:
        A function that shows a picture, ``[height, width, 3]`` uint8 BGR, and returns whether to
        go on: False after q or Escape.

    Raises:
        ValueError: If there is no display, or OpenCV has no windows.
    """
    require_display()  # OpenCV would abort the process
    import cv2
    try:
        cv2.namedWindow(name)
    except cv2.error as error:
        raise ValueError('show needs an OpenCV with windows, and this one has none '
                         '(opencv-python-headless): leave it out and write the video') from error

    def show(picture: np.ndarray) -> bool:
        cv2.imshow(name, picture)
        return cv2.waitKey(max(1, round(wait_time * 1000))) not in (ord('q'), 27)
    return show
