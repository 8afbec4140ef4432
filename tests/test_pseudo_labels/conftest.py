"""Labels and their images."""

import numpy as np
import pytest

from glip_mm.visualization import save_image

from .label_world import ROWS, write_labels


@pytest.fixture
def labels(tmp_path):
    """Folder of a run."""
    return write_labels(tmp_path / 'run', ROWS)


@pytest.fixture
def images(tmp_path):
    """Folder of the images."""
    for one in ROWS:
        save_image(tmp_path / 'images' / one['filename'],
                   np.full((one['height'], one['width'], 3), 128, np.uint8))
    return tmp_path / 'images'
