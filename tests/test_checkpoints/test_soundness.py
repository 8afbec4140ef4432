"""Weights that are not what was written, or no numbers, are not loaded."""

from types import SimpleNamespace

import pytest
import torch

from glip_mm.checkpoints.loader import fit_to_model
from glip_mm.checkpoints.reading import read_checkpoint, write_checkpoint


def test_every_flipped_bit_of_a_weight_is_seen(tmp_path):
    path, weights = tmp_path / 'a.pth', torch.arange(64.)
    write_checkpoint(dict(state_dict=dict(a=weights)), path)
    whole = path.read_bytes()
    start = whole.index(weights.numpy().tobytes())
    for byte in range(start, start + 256, 17):
        changed = bytearray(whole)
        changed[byte] ^= 4
        path.write_bytes(changed)
        with pytest.raises(ValueError, match=f"'{path}'.* differs from its checksum: bits of the "
                           'file have changed'):
            read_checkpoint(path)
    path.write_bytes(whole)
    assert read_checkpoint(path)['state_dict']['a'].equal(weights)


def test_files_without_checksums_are_read(tmp_path):
    path = tmp_path / 'a.pth'
    torch.save(dict(a=1), path, _use_new_zipfile_serialization=False)
    assert read_checkpoint(path) == dict(a=1)
    options = torch.serialization
    if hasattr(options, 'set_crc32_options'):
        options.set_crc32_options(False)
        try:
            torch.save(dict(a=1), path)
        finally:
            options.set_crc32_options(True)
        assert read_checkpoint(path) == dict(a=1)


@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf')])
def test_weights_that_are_no_numbers_are_named(value):
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
    state = {k: v.clone() for k, v in model.state_dict().items()}
    state['1.weight'][0, 1] = value
    report = SimpleNamespace(dropped={}, absent=[], left=[], num_kept=4, naming='ours')
    with pytest.raises(ValueError, match=r'1\.weight holds NaN or infinity \(1 of 3 values\)'):
        fit_to_model(state, model, report)


@pytest.mark.parametrize('dtype', [torch.int8, torch.int64, torch.bool])
def test_weights_that_are_whole_numbers_are_refused(dtype):
    """A cast would make zeros of nearly all of them."""
    model = torch.nn.Linear(2, 3)
    state = {k: v.to(dtype) for k, v in model.state_dict().items()}
    report = SimpleNamespace(dropped={}, absent=[], left=[], num_kept=2, naming='ours')
    with pytest.raises(ValueError, match=f'2 weights are whole numbers.*weight .{dtype}'):
        fit_to_model(state, model, report)


def test_numbers_of_a_byte():
    model = torch.nn.Linear(2, 3)
    state = {k: v.to(torch.float8_e4m3fn) for k, v in model.state_dict().items()}
    report = SimpleNamespace(dropped={}, absent=[], left=[], num_kept=2, naming='ours')
    fit_to_model(dict(state), model, report)
    state['weight'] = torch.full((3, 2), float('nan')).to(torch.float8_e4m3fn)
    with pytest.raises(ValueError, match='weight holds NaN or infinity .6 of 6'):
        fit_to_model(state, model, report)
