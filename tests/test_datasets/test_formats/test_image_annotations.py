"""Files of a folder: what is listed, found, and opened."""

import os

import pytest

from glip_mm.datasets.data_error import read_text
from glip_mm.datasets.formats import image_annotations

from .conftest import write_image


def test_walk(tree):
    folder = tree({name: 'x' for name in ('b/c/1', 'a', 'b/2', '.git/x', '__MACOSX/y', '._a')})
    (folder / 'b/up').symlink_to(folder)
    (folder / 'link').symlink_to(folder / 'b/c')
    os.mkfifo(folder / 'pipe')
    assert sorted(image_annotations.walk(folder)) == ['a', 'b/2', 'b/c/1', 'link/1']
    assert list(image_annotations.walk(folder / 'missing')) == []


@pytest.mark.parametrize('orientation, size', [(None, (30, 20)), (3, (30, 20)), (6, (20, 30)),
                                               (8, (20, 30))])
def test_size(tmp_path, orientation, size):
    write_image(tmp_path / 'a.jpg', (30, 20), orientation)
    assert image_annotations.image_size(tmp_path / 'a.jpg') == size
    assert image_annotations.Images(tmp_path).size('a.jpg') == size
    assert image_annotations.image_size(tmp_path / 'b.jpg') is None


def test_pipes_are_no_images(tmp_path):
    os.mkfifo(tmp_path / 'a.jpg')
    assert image_annotations.image_size(tmp_path / 'a.jpg') is None
    assert image_annotations.head(tmp_path / 'a.jpg') == b''
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / 'a.jpg')


def test_guesses_look_at_few_files(tree, monkeypatch):
    folder = tree({f'{i}.txt': '' for i in range(30)} | {'sub/a.xml': ''})
    monkeypatch.setattr(image_annotations, 'LOOKED_AT_EACH', 5)
    few = image_annotations.peek(folder, ('.txt',), 5)
    assert image_annotations.peek(folder, ('.txt',), 20) == few
    assert image_annotations.names_in(folder, ('.txt',), 2) == ['0.txt', '1.txt']


def test_turned():
    assert image_annotations.turned(0, 0, 10, 20, 90, (0, 0)) == pytest.approx((-20, 0, 20, 10))
    assert image_annotations.turned(0, 0, 10, 20, 180, (5, 10)) == pytest.approx((0, 0, 10, 20))
    assert image_annotations.hull([]) is None
