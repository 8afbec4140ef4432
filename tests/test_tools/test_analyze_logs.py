"""``tools/analysis_tools/analyze_logs.py`` on small logs."""

import json
import runpy
import sys
from pathlib import Path

import pytest
from PIL import Image

TOOL = Path(__file__).parents[2] / 'tools' / 'analysis_tools' / 'analyze_logs.py'


@pytest.fixture(scope='module')
def tool():
    return runpy.run_path(str(TOOL), run_name='tool')


def call(tool, monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['analyze_logs.py', *map(str, arguments)])
    tool['main']()


@pytest.fixture
def runs(tmp_path):
    """Two runs of one kind; each a work directory."""
    folders = []
    for seed, last in enumerate((1., 2.)):
        folder = tmp_path / f'seed{seed}'
        (folder / '1' / 'vis_data').mkdir(parents=True)
        rows = []
        for i in range(1, 9):
            rows.append(dict(lr=0.1, loss=9 - i + last - 1, time=5. if i % 4 == 1 else i / 10,
                             epoch=(i + 3) // 4, iter=i, step=i))
            if i % 4 == 0:
                rows.append({'coco/bbox_mAP': i / 100 + seed / 10, 'step': i // 4})
        (folder / '1' / 'vis_data' / '1.json').write_text(
            '\n'.join(json.dumps(row) for row in rows))
        folders.append(folder)
    return folders


@pytest.mark.parametrize('more', [
    [], ['--mean', '--labels', 'A', '--smooth', '0.5'], ['--together', '--x', 'iter'],
    ['--legend', *'abcdef', '--title', 'T', '--style', 'dark', '--start-epoch', '2',
     '--eval-interval', '1']])
def test_plot(tool, monkeypatch, runs, tmp_path, more):
    out = tmp_path / 'curves.png'
    call(tool, monkeypatch, 'plot_curve', *runs, '--keys', 'loss', 'lr', 'bbox_mAP', *more,
         '--out', out)
    with Image.open(out) as image:
        assert image.width > 500
        assert len(image.convert('RGB').getcolors(1 << 20)) > 20
    assert sorted(p.name for p in tmp_path.iterdir()) == ['curves.png', 'seed0', 'seed1']


def test_plot_needs_no_options_for_a_log_of_the_ecosystem(tool, monkeypatch, runs, tmp_path):
    out = tmp_path / 'map.svg'
    call(tool, monkeypatch, 'plot_curve', runs[0] / '1' / 'vis_data' / '1.json', '--out', out)
    assert '<svg' in out.read_text()


def test_curves_of_metrics_count_epochs_and_the_rest_iterations(tool, runs):
    logs = [tool['read_log'](run) for run in runs]
    assert tool['choose_x']('auto', logs, ['coco/bbox_mAP']) == 'epoch'
    assert tool['choose_x']('auto', logs, ['coco/bbox_mAP', 'loss']) == 'iter'
    curve, = tool['make_curves'](logs[0], 'coco/bbox_mAP', 'a', 'epoch', 1)
    assert curve.x.tolist() == [1, 2] and curve.dots and curve.exact
    loss, = tool['make_curves'](logs[0], 'loss', 'a', 'iter', 1)
    assert not loss.exact and tool['make_curves'](logs[0], 'lr', 'a', 'iter', 1)[0].exact


@pytest.mark.parametrize('more, message', [
    (['--keys', 'los', '--out', 'a.png'], "no key 'los'; it has loss"),
    (['--keys', 'loss', '--labels', *'abc', '--out', 'a.png'], '3 labels were given for 2 runs'),
    (['--keys', 'loss', '--legend', 'a', '--out', 'a.png'], 'make 2'),
    (['--keys', 'loss', '--smooth', '1.5', '--out', 'a.png'], 'smooth=1.5'),
    (['--keys', 'loss', '--out', 'a.doc'], 'must end in one of'),
    (['--keys', 'loss', '--style', 'ugly', '--out', 'a.png'], "'ugly' is unknown"),
])
def test_errors_say_what_to_do(tool, monkeypatch, runs, tmp_path, more, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as error:
        call(tool, monkeypatch, 'plot_curve', *runs, *more)
    assert message in str(error.value)
    assert not list(tmp_path.glob('a.*'))


def test_time_leaves_out_the_first_value_of_an_epoch(tool, monkeypatch, runs, capsys):
    call(tool, monkeypatch, 'cal_train_time', runs[0])
    text = capsys.readouterr().out
    assert 'slowest epoch 2, average time is 0.7000' in text
    assert 'fastest epoch 1, average time is 0.3000' in text
    assert 'average iter time: 0.5000' in text
    call(tool, monkeypatch, 'cal_train_time', runs[0], '--include-outliers')
    assert 'fastest epoch 1, average time is 1.4750' in capsys.readouterr().out


def test_summary_averages_runs_of_one_label(tool, monkeypatch, runs, capsys):
    call(tool, monkeypatch, 'summarize', *runs, '--keys', 'loss', 'bbox_mAP', '--labels', 'B')
    rows = capsys.readouterr().out.splitlines()
    assert rows[0] == '| runs | n | loss | coco/bbox_mAP |'
    assert rows[2] == '| B | 2 | 1.5000 ± 0.7071 | 0.1300 ± 0.0707 |'
    call(tool, monkeypatch, 'summarize', *runs, '--keys', 'loss', '--take', 'max')
    assert '| 1 | 8.0000 |' in capsys.readouterr().out
