import os

import pytest

from glip_mm.datasets.storage.file_identity import END, fingerprint, identify, place


def test_the_place_is_resolved(tmp_path):
    (tmp_path / 'real').mkdir()
    (tmp_path / 'link').symlink_to(tmp_path / 'real')
    file = tmp_path / 'real/a.json'
    file.write_text('x')
    assert place(tmp_path / 'link/a.json') == file.resolve().as_posix()
    assert place(file, tmp_path / 'link') == 'a.json'  # stays valid when the folder is moved
    assert place(file, tmp_path / 'index') == file.resolve().as_posix()
    assert identify(file) == identify(tmp_path / 'link/a.json')


@pytest.mark.parametrize('place', [0, END - 1, END, -1])
def test_a_change_of_same_size_and_time(place, tmp_path):
    path, content = tmp_path / 'a', bytearray(2 * END)
    path.write_bytes(content)
    os.utime(path, (1, 1))
    before = identify(path)
    assert identify(path) == before and before.size == 2 * END
    content[place] = 1
    path.write_bytes(content)
    os.utime(path, (1, 1))
    now = identify(path)
    assert now[:3] == before[:3]
    assert (now.digest != before.digest) == (fingerprint([path]) != fingerprint([])) is True


@pytest.mark.parametrize('size', [0, 1, END, END + 1, 3 * END])
def test_files_of_any_size(size, tmp_path):
    (tmp_path / 'a').write_bytes(b'x' * size)
    (tmp_path / 'b').write_bytes(b'x' * size)
    os.utime(tmp_path / 'a', (1, 1))
    os.utime(tmp_path / 'b', (1, 1))
    a, b = identify(tmp_path / 'a'), identify(tmp_path / 'b')
    assert a[1:] == b[1:] and a.path != b.path and a.size == size
