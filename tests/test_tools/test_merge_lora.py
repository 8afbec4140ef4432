"""tools/misc/merge_lora.py: alpha from the checkpoint's config, a plain file out."""

import importlib.util
from pathlib import Path

import pytest
import torch

TOOL = Path(__file__).parents[2] / 'tools/misc/merge_lora.py'
WEIGHT, UP, DOWN = torch.ones(2, 3), torch.full((2, 4), 0.5), torch.full((4, 3), 0.25)


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('merge_lora', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(path, config=None, **extra):
    state = {'a.weight': WEIGHT, 'a.bias': torch.zeros(2), 'a.lora_A.default.weight': DOWN,
             'a.lora_B.default.weight': UP, **extra}
    torch.save(dict(meta=dict(cfg=config) if config else {}, state_dict=state), path)
    return str(path)


@pytest.mark.parametrize('config, alpha', [
    ("model = dict(type='GLIP', tuning='lora')", 16),
    ("model = dict(type='GLIP', tuning=dict(type='lora', alpha=4))", 4)])
def test_alpha_of_the_stored_config(tool, tmp_path, capsys, config, alpha):
    out = tmp_path / 'merged.pth'
    assert tool.main([write(tmp_path / 'a.pth', config), str(out)]) == 0
    assert f'1 layers merged with alpha {alpha}' in capsys.readouterr().out
    state = torch.load(out, weights_only=True)['state_dict']
    assert set(state) == {'a.weight', 'a.bias'}
    assert torch.equal(state['a.weight'], WEIGHT + alpha / 4 * UP @ DOWN)


def test_alpha_by_hand_and_existing_files(tool, tmp_path, capsys):
    src, out = write(tmp_path / 'a.pth'), tmp_path / 'merged.pth'
    assert tool.main([src, str(out)]) == 1
    assert '--alpha' in capsys.readouterr().err and not out.exists()
    assert tool.main([src, str(out), '--alpha', '8']) == 0
    assert tool.main([src, str(out), '--alpha', '8']) == 1
    assert '--force' in capsys.readouterr().err


def test_what_cannot_be_merged_is_said(tool, tmp_path, capsys):
    path = tmp_path / 'a.pth'
    torch.save(dict(state_dict={'a.weight': WEIGHT}), path)
    assert tool.main([str(path), str(tmp_path / 'm.pth'), '--alpha', '8']) == 1
    assert 'no adapters' in capsys.readouterr().err
    write(path, "model = dict(type='GLIP', tuning='linear')")
    assert tool.main([str(path), str(tmp_path / 'm.pth')]) == 1
    assert "model.tuning='linear', not 'lora'" in capsys.readouterr().err
