import os
import pickle

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from glip_mm.checkpoints import read_checkpoint, write_checkpoint
from tests import forked

WEIGHTS = {'a.weight': torch.arange(3.)}


class Bomb:
    """Would leave a file behind if unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (self.target,)


def test_round_trip_leaves_no_other_file(tmp_path):
    path = tmp_path / 'deep' / 'x.pth'
    write_checkpoint({'state_dict': WEIGHTS}, path)
    assert torch.equal(read_checkpoint(path)['state_dict']['a.weight'], WEIGHTS['a.weight'])
    assert os.listdir(path.parent) == ['x.pth']
    assert path.stat().st_mode & 0o444 == 0o444 & ~_umask()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='no device that is always full')
def test_a_full_disk_is_said(tmp_path, monkeypatch):
    # PyTorch hides it behind an error of its own
    monkeypatch.setattr('glip_mm.checkpoints.reading.replacing',
                        lambda path: open('/dev/full', 'wb', buffering=0))
    with pytest.raises(OSError, match='No space left'):
        write_checkpoint(WEIGHTS, tmp_path / 'a.pth')


def test_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / 'x.pth'
    write_checkpoint(WEIGHTS, path)
    with pytest.raises((AttributeError, pickle.PicklingError)):
        write_checkpoint({'bad': lambda: 0}, path)
    assert os.listdir(tmp_path) == ['x.pth']
    assert 'a.weight' in read_checkpoint(path)


def test_code_is_never_run(tmp_path):
    path, target = tmp_path / 'x.pth', tmp_path / 'made'
    torch.save({'state_dict': WEIGHTS, 'meta': Bomb(str(target))}, path)
    with pytest.raises(ValueError, match='cannot be read safely'):
        read_checkpoint(path)
    assert not target.exists()


class Reach:
    """Would fetch an attribute of an allowed class if unpickled."""

    def __reduce__(self):
        return getattr, (HistoryBuffer, '__init__')


def test_attributes_are_not_fetched(tmp_path):
    torch.save({'state_dict': WEIGHTS, 'meta': Reach()}, tmp_path / 'x.pth')
    with pytest.raises(ValueError, match='cannot be read safely'):
        read_checkpoint(tmp_path / 'x.pth')


def test_logs_of_mmengine_are_plain_data(tmp_path):
    path = tmp_path / 'epoch_1.pth'
    logs = HistoryBuffer([1.0, 2.0], [1, 1])
    torch.save({'state_dict': WEIGHTS, 'message_hub': {'loss': logs, 'x': np.float64(2)}}, path)
    read = read_checkpoint(path)
    assert read['message_hub']['loss'].current() == 2.0
    assert read['message_hub']['x'] == 2
    # and MMEngine's own loader, which load_from= and resume= use, reads it in a fresh process
    code = (f'import glip_mm; from mmengine.runner import CheckpointLoader; '
            f'print(list(CheckpointLoader.load_checkpoint({str(path)!r})))')
    done = forked.run('-c', code)
    assert 'message_hub' in done.stdout, done.stderr


@pytest.mark.parametrize('content', [b'', b'not a checkpoint', pickle.dumps([1, 2])])
def test_damaged_files_are_named(tmp_path, content):
    path = tmp_path / 'x.pth'
    path.write_bytes(content)
    with pytest.raises(ValueError, match='x.pth'):
        read_checkpoint(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere.pth'):
        read_checkpoint(tmp_path / 'nowhere.pth')


@pytest.mark.parametrize('protocol', [4, 5])
def test_another_protocol_is_said(tmp_path, protocol):
    torch.save(WEIGHTS, tmp_path / 'a.pth', pickle_protocol=protocol)
    with pytest.raises(ValueError, match=r'a\.pth.* pickled otherwise than torch.save does'):
        read_checkpoint(tmp_path / 'a.pth')
