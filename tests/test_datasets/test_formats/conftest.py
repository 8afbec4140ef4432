"""Folders made of texts and small images."""

from pathlib import Path

import pytest
from PIL import Image


def write_image(path: Path, size=(100, 50), orientation=None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if orientation:
        exif[0x112] = orientation
    Image.new('RGB', size).save(path, exif=exif)


@pytest.fixture
def tree(tmp_path):
    """Function that fills a folder: name -> text, bytes, or None for an image of 100 x 50."""
    def fill(files, folder='data'):
        for name, content in files.items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                write_image(path)
            else:
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / folder
    return fill


@pytest.fixture
def read():
    """Function from a format and a folder to split -> ({file: [(class, box)]}, report)."""
    def one(split):
        content, report = split.read()
        names = {row['id']: row['name'] for row in content['categories']}
        images = {row['id']: row['file_name'] for row in content['images']}
        boxes = {name: [] for name in images.values()}
        for row in content['annotations']:
            boxes[images[row['image_id']]].append((names[row['category_id']], row['bbox']))
        return boxes, report

    return lambda module, folder: {split.name: one(split)
                                   for split in module.FORMAT.splits(folder)}
