"""Files are complete or absent."""

import os

import numpy as np
import pytest
from PIL import Image

from glip_mm.visualization import save_image, write_atomically


def test_the_old_file_survives_a_failure(tmp_path, monkeypatch):
    path = write_atomically(tmp_path / 'deep' / 'a.json', b'old')

    def fail(*_):
        raise OSError('disk full')

    monkeypatch.setattr(os, 'replace', fail)
    with pytest.raises(OSError, match='disk full'):
        write_atomically(path, b'new')
    assert path.read_bytes() == b'old'
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize('name', ['a.png', 'a.jpg', 'a.webp', 'a.bmp', 'a', 'a.tif'])
def test_images(tmp_path, name):
    image = np.zeros((20, 30, 3), np.uint8)
    image[..., 0] = 200
    path = save_image(tmp_path / name, image)
    with Image.open(path) as saved:
        assert np.abs(np.asarray(saved.convert('RGB')).astype(int) - image).max() < 9
