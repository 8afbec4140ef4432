import subprocess
import sys
from pathlib import Path

import pytest
import torch

from glip_mm.checkpoints import normalise_state_dict, read_checkpoint, write_checkpoint
from tests.test_checkpoints.official import official_state

TOOL = Path(__file__).parents[2] / 'tools' / 'model_converters' / 'convert_glip.py'


@pytest.fixture(scope='module')
def main():
    import importlib.util
    spec = importlib.util.spec_from_file_location('convert_glip', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


@pytest.fixture
def source(tmp_path):
    state = official_state('glip_t')
    averaged = {k: v + 1 for k, v in state.items()}
    path = tmp_path / 'source.pth'
    write_checkpoint({'model': {f'module.{k}': v for k, v in state.items()},
                      'model_ema': averaged, 'iteration': 1}, path)
    return path, state


def test_round_trip_through_all_namings(main, source, tmp_path, capsys):
    path, state = source
    for naming in ('mmdet', 'ours', 'official'):
        target = tmp_path / f'{naming}.pth'
        assert main([str(path), str(target), '--to', naming]) == 0
        path = target
    assert '745 entries in official naming' in capsys.readouterr().out
    back = read_checkpoint(path)
    assert list(back) == ['model']
    assert set(back['model']) == {f'module.{k}' for k in state}
    wanted, _ = normalise_state_dict(state)
    got, _ = normalise_state_dict(back)
    assert all(torch.equal(got[k], wanted[k]) for k in wanted)


def test_averaged_weights(main, source, tmp_path):
    path, state = source
    target = tmp_path / 'ema.pth'
    assert main([str(path), str(target), '--ema']) == 0
    got = read_checkpoint(target)['state_dict']
    assert torch.equal(got['bbox_head.log_scale'], state['rpn.head.log_scale'] + 1)


def test_refusals_are_one_line(main, source, tmp_path, capsys):
    path, _ = source
    assert main([str(tmp_path / 'no.pth'), str(tmp_path / 'x.pth')]) == 1
    assert 'no.pth' in capsys.readouterr().err
    assert main([str(path), str(path)]) == 1
    assert '--force' in capsys.readouterr().err
    write_checkpoint({'state_dict': {'rpn.head.strange': torch.ones(1)}}, tmp_path / 'bad.pth')
    assert main([str(tmp_path / 'bad.pth'), str(tmp_path / 'x.pth')]) == 1
    message = capsys.readouterr().err.strip()
    assert 'rpn.head.strange' in message and '\n' not in message
    assert not (tmp_path / 'x.pth').exists()


def test_help_runs_as_a_script():
    done = subprocess.run([sys.executable, str(TOOL), '--help'], capture_output=True, text=True,
                          cwd=TOOL.parents[2], env={'PYTHONPATH': str(TOOL.parents[2]),
                                                    'PATH': '/usr/bin:/bin'})
    assert done.returncode == 0 and '--ema' in done.stdout
