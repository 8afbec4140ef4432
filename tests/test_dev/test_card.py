"""The script that measures a GPU works as a whole without one, and loses nothing when killed."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from dev.speed import card, card_stages
from dev.speed.ledger import Ledger

ROOT = Path(__file__).parents[2]
ARGS = ['--device', 'cpu', '--tiny', '--minutes', '60']


def test_stages_have_a_budget_of_eight_minutes():
    assert tuple(card_stages.STAGES) == card.NAMES
    budgets = [stage.budget for stage in card_stages.STAGES.values()]
    assert min(budgets) > 0 and sum(budgets) <= 8 * 60 - 20  # of imports


@pytest.mark.slow
def test_the_whole_of_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv('TRITON_INTERPRET', '1')
    out = tmp_path / 'gpu.json'
    code = card.main([*ARGS, '--out', str(out)])
    rows = json.loads(out.read_text())['rows']
    assert {name.split(':')[0] for name in rows} == set(card.NAMES)
    failed = {name: row['error'] for name, row in rows.items() if 'error' in row}
    # Triton is in no requirements file, and does not change to its interpreter once imported
    assert {name.split(':')[0] for name in failed} <= {'kernels'}, failed
    assert code == bool(failed)
    both = [row for row in rows.values() if 'sides' in row]
    assert all(('alone' in row) == ('theirs' not in row['sides']) for row in both)
    for row in both:
        for side in row['sides'].values():
            assert side['seconds']['median'] > 0 and side['memory']['peak'] > 0
    text = capsys.readouterr().out
    assert text == out.with_suffix('.md').read_text()
    for words in ('Tiny models', '| glip_t_b | 80 COCO names, batch 2, 64 x 96 |',
                  '| fast path |', '| most time |', '* tests marked gpu:'):
        assert words in text, words


def test_killed_after_a_stage_and_continued(tmp_path):
    out = tmp_path / 'gpu.json'
    process = subprocess.Popen(
        ['bash', 'dev/measure_gpu.sh', *ARGS, '--out', str(out)], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    while not out.exists() and process.poll() is None:
        time.sleep(.05)
    os.killpg(process.pid, signal.SIGKILL)
    _, told = process.communicate()
    assert out.exists(), told
    before = json.loads(out.read_text())['rows']
    assert before['ceilings: ceilings']['flops'] > 0 and len(before) < 5
    assert 'TFLOP/s' in out.with_suffix('.md').read_text()
    assert card.main([*ARGS, '--out', str(out), '--stages', 'ceilings', 'trace']) == 0
    rows = json.loads(out.read_text())['rows']
    assert {key: rows[key] for key in before} == before  # and not measured again
    assert {name.split(':')[0] for name in rows} - set(before) >= {'trace'}


def test_what_takes_too_long_is_left_out_and_the_rest_is_measured(tmp_path, monkeypatch):
    def slow(bench):
        def sleep():
            try:
                time.sleep(60)
            except Exception:  # as a library might
                pytest.fail('swallowed')
        return dict(sleeps=sleep)

    def fails(bench):
        def work():
            raise RuntimeError('no such kernel')
        return dict(works=work)

    monkeypatch.setattr(card, 'STAGES', dict(
        ceilings=card_stages.Stage(.2, slow), tests=card_stages.Stage(5, fails),
        trace=card_stages.Stage(5, lambda bench: dict(a=lambda: dict(b=1)))))
    restarts = []
    monkeypatch.setattr(card, '_start_anew', restarts.append)
    args = card.parse_args([*ARGS, '--stages', 'ceilings', 'tests', 'trace'])
    ledger = Ledger(str(tmp_path / 'a.json'), dict(), lambda record: '')
    card.measure(args, ledger, time.monotonic())
    rows = ledger.record['rows']
    assert rows['ceilings: sleeps']['error'].startswith('not measured')
    assert rows['tests: works']['error'] == 'RuntimeError: no such kernel'
    assert rows['trace: a']['b'] == 1
    assert len(restarts) == 1


def test_without_a_device(capsys):
    import torch
    if torch.cuda.is_available():
        pytest.skip('there is one')
    assert card.main(['--device', 'cuda']) == 2
    assert '--device cpu --tiny' in capsys.readouterr().err


def test_a_file_of_another_run_is_left_alone(tmp_path):
    path = tmp_path / 'a.json'
    ledger = Ledger(str(path), dict(settings=dict(dtype='float32')), lambda record: 'text')
    ledger.put('one', dict(value=1))
    ledger.put('two', dict(error='no'))
    same = Ledger(str(path), dict(settings=dict(dtype='float32')), str)
    assert same.has('one') and not same.has('two') and not same.has('three')
    assert path.with_suffix('.md').read_text() == 'text\n'
    with pytest.raises(ValueError, match=r"was measured with settings .*float32.* --out"):
        Ledger(str(path), dict(settings=dict(dtype='bfloat16')), str)
    path.write_text('[]')
    with pytest.raises(ValueError, match=r'holds no measurements .* --out'):
        Ledger(str(path), {}, str)


def test_the_ports_convolution_from_torchvision(monkeypatch):
    import torch
    from mmcv.ops import ModulatedDeformConv2d

    from dev.speed import port
    from glip_mm.ops.deform_conv import deform_conv2d

    def vision(x, offset, weight, bias, stride, padding, dilation, mask):
        assert {t.dtype for t in (x, offset, weight, bias, mask)} == {torch.float32}
        return deform_conv2d(x, offset, mask, weight, bias, stride, padding, dilation)

    torch.manual_seed(0)
    for stride, size in ((1, (6, 8)), (2, (5, 7)), (1, (3, 4))):
        layer = ModulatedDeformConv2d(4, 6, 3, stride=stride, padding=1)
        x = torch.randn(2, 4, *size)
        # offsets of a finer level are read as if they were this one's
        offset, mask = torch.randn(2, 18, 6, 8), torch.rand(2, 9, 6, 8)
        wanted = layer(x, offset, mask)
        torch.testing.assert_close(port._torchvision(layer, vision, x, offset, mask), wanted)
        half = port._torchvision(layer, vision, x, offset.bfloat16(), mask.bfloat16())
        assert half.dtype == torch.bfloat16
