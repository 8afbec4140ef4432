"""``tools/misc/interpolate_weights.py`` on a tiny model."""

import json
import runpy
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]


@pytest.fixture
def call(monkeypatch):
    def main(*arguments):
        monkeypatch.setattr(sys, 'argv', ['interpolate_weights.py', *map(str, arguments)])
        runpy.run_path(str(ROOT / 'tools/misc/interpolate_weights.py'), run_name='__main__')
    return main


@pytest.fixture
def tuned(tiny, tmp_path):
    """A checkpoint that differs from the base."""
    content = torch.load(tiny[1], weights_only=True)
    content['state_dict'] = {k: v + 1 if v.is_floating_point() else v
                             for k, v in content['state_dict'].items()}
    torch.save(content, tmp_path / 'tuned.pth')
    return tmp_path / 'tuned.pth'


def test_weights_alone(call, tiny, tuned, tmp_path):
    call(tiny[1], tuned, '--alphas', '0.25,1', '--out', tmp_path / 'out')
    base, quarter, whole = (torch.load(p, weights_only=True)['state_dict'] for p in (
        tiny[1], tmp_path / 'out/alpha_0.25.pth', tmp_path / 'out/alpha_1.pth'))
    name = next(k for k, v in base.items() if v.is_floating_point())
    torch.testing.assert_close(quarter[name], base[name] + 0.25)
    torch.testing.assert_close(whole[name], base[name] + 1)


def test_curve_and_what_is_done(call, tiny, tuned, tmp_path, monkeypatch, capsys):
    """Tests of all alphas make a table, which another call completes."""
    tested = []

    def test_once(config, checkpoint, folder, identity=None):
        tested.append((Path(checkpoint).name, folder.name, Path(checkpoint).is_file()))
        alpha = torch.load(checkpoint, weights_only=True)['meta']['alpha']
        return {'coco/bbox_mAP': alpha if folder.name == 'new' else 1 - alpha ** 2}
    monkeypatch.setattr('glip_mm.apis.repeated_tests.test_once', test_once)
    options = ('--out', tmp_path / 'out', '--config', f'new={tiny[0]}', f'old={tiny[0]}')
    call(tiny[1], tuned, '--alphas', '0:1:0.5', *options)
    assert tested == [(f'alpha_{a}.pth', n, True) for a in ('0', '0.5', '1')
                      for n in ('new', 'old')]
    values = json.loads((tmp_path / 'out/interpolation.json').read_text())
    assert values == dict(alphas=[0, .5, 1], values=dict(new=[0, .5, 1], old=[1, .75, 0]))
    assert '0.5\t0.500000\t0.750000' in capsys.readouterr().out
    assert (tmp_path / 'out/interpolation.png').stat().st_size > 5000
    stamp = (tmp_path / 'out/alpha_0.5.pth').stat().st_mtime_ns
    call(tiny[1], tuned, '--alphas', '0.5', *options)
    assert (tmp_path / 'out/alpha_0.5.pth').stat().st_mtime_ns == stamp


def test_errors(call, tiny, tuned, tmp_path, capsys):
    torch.save(dict(state_dict=dict(w=torch.zeros(1))), tmp_path / 'other.pth')
    torch.save(dict(state_dict=[]), tmp_path / 'none.pth')
    with pytest.raises(SystemExit, match='2'):
        call(tmp_path / 'none.pth', tuned, '--out', tmp_path / 'out')
    assert "none.pth': no state dict found" in capsys.readouterr().err
    for arguments, message in (
            ((tuned, ), 'the checkpoints are not of one model'),
            ((tuned, '--config', tiny[0], tiny[0]), 'write NAME=CONFIG'),
            ((tuned, '--config', 'none.py'), "config 'none.py' is not a file"),
            ((tuned, '--alphas', 'x'), "alphas 'x' must be FIRST:LAST:STEP"),
            ((tuned, '--keep', 'none'), '--keep none without --config would leave nothing')):
        base = tmp_path / 'other.pth' if 'one model' in message else tiny[1]
        with pytest.raises(SystemExit, match='2'):
            call(base, *arguments, '--out', tmp_path / 'out')
        assert message in capsys.readouterr().err
