"""Windows that show pictures."""

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
