"""Where a training goes on, whatever a killed one left."""

import os
import zipfile
from pathlib import Path

import pytest

from glip_mm_cli.training_folder import newest_checkpoint


@pytest.mark.parametrize('leave', [
    lambda hint: None, lambda hint: hint.write_text(''), Path.mkdir, os.mkfifo,
    lambda hint: hint.write_bytes(b'\xff\xfe\xfd'), lambda hint: hint.write_text('a\0b'),
    lambda hint: hint.write_text('n' * 5000), lambda hint: hint.write_text('../../etc\n/passwd'),
    lambda hint: hint.symlink_to('/dev/zero'), lambda hint: hint.symlink_to('gone')])
def test_a_hint_that_is_none(leave, tmp_path):
    with zipfile.ZipFile(tmp_path / 'iter_3.pth', 'w') as file:
        file.writestr('a', 'b')
    (tmp_path / 'iter_9.pth').symlink_to('gone')
    os.utime(tmp_path / 'iter_3.pth', (1, 1))
    (tmp_path / 'iter_6.pth').write_bytes(b'cut off')
    leave(tmp_path / 'last_checkpoint')
    assert newest_checkpoint(tmp_path) == str(tmp_path / 'iter_3.pth')
