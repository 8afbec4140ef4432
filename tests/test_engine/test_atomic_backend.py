import errno
import os

import pytest
from mmengine.fileio import get_file_backend

import glip_mm.engine  # noqa: F401
from glip_mm.apis.launch import newest_checkpoint


def backend():
    return get_file_backend(backend_args=dict(backend='atomic'))


def test_a_file_is_written_whole(tmp_path):
    path = tmp_path / 'new' / 'a.pth'
    backend().put(b'one', path)
    backend().put(b'two', str(path))
    assert path.read_bytes() == b'two'
    assert os.listdir(path.parent) == ['a.pth']


def test_a_full_disk_leaves_the_old_file_and_says_what_to_do(tmp_path, monkeypatch):
    path = tmp_path / 'a.pth'
    backend().put(b'one', path)

    def full(descriptor):
        raise OSError(errno.ENOSPC, 'No space left on device')
    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError, match='No space left on device.*make room and resume'):
        backend().put(b'two', path)
    assert path.read_bytes() == b'one'
    assert os.listdir(tmp_path) == ['a.pth']


def save(path, time, content=None):
    import torch
    torch.save(dict(a=1), path)
    if content is not None:
        path.write_bytes(path.read_bytes()[:content])
    os.utime(path, (time, time))


def test_the_newest_complete_checkpoint_is_found(tmp_path):
    assert newest_checkpoint(str(tmp_path)) is None
    save(tmp_path / 'epoch_1.pth', 100)
    save(tmp_path / 'iter_30.pth', 300)
    save(tmp_path / 'iter_40.pth', 400, content=50)
    save(tmp_path / 'best_coco_bbox_mAP_iter_50.pth', 500)
    (tmp_path / 'last_checkpoint').write_text('')
    assert newest_checkpoint(str(tmp_path)) == str(tmp_path / 'iter_30.pth')
    (tmp_path / 'iter_30.pth').unlink()
    assert newest_checkpoint(str(tmp_path)) == str(tmp_path / 'epoch_1.pth')
