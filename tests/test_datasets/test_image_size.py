"""Sizes of images: turned as they are loaded, and nothing that a file can hold is an error."""

import os

from PIL import Image

from glip_mm.datasets.image_size import image_size


def test_sizes(tmp_path):
    exif = Image.Exif()
    exif[0x112] = 8
    Image.new('RGB', (40, 20)).save(tmp_path / 'turned.jpg', exif=exif)
    Image.new('RGB', (40, 20)).save(tmp_path / 'plain.png')
    (tmp_path / 'broken.png').write_bytes(b'\x89PNG\r\n')
    os.mkfifo(tmp_path / 'pipe.png')
    assert {path.stem: image_size(path) for path in tmp_path.iterdir()} == dict(
        turned=(20, 40), plain=(40, 20), broken=None, pipe=None)
    assert image_size(tmp_path / 'none.png') is None
