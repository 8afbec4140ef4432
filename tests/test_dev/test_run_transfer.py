"""``python -m dev.ablation.transfer`` with a tool that only pretends to tune."""

import json
import runpy
import sys

import pytest

# full tuning gains with shots and seeds, linear never changes
FINETUNE = '''
import json, pathlib, sys
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
arguments.update(zip(sys.argv[2::2], sys.argv[3::2]))
shots = 150 if arguments['--shots'] == 'all' else int(arguments['--shots'])
ap = 0.1 if arguments['--tuning'] == 'linear' or not shots else \\
    0.2 + shots / 500 + int(arguments['--seeds']) / 100
assert pathlib.Path(arguments['--checkpoint']).is_file()
assert ('--copies' in sys.argv) == (shots > 0) and '--no-report' in sys.argv
out = pathlib.Path(arguments['--work-dir'])
out.mkdir(parents=True)
(out / 'results.json').write_text(json.dumps(dict(runs={
    'seed': dict(AP=ap / 2, AP50=ap, AP75=None)})))
'''


@pytest.fixture
def call(tmp_path, monkeypatch):
    (tmp_path / 'tools').mkdir()
    (tmp_path / 'tools' / 'finetune.py').write_text(FINETUNE)
    (tmp_path / 'nano.pth').touch()
    monkeypatch.chdir(tmp_path)
    module = runpy.run_module('dev.ablation.transfer', run_name='tool')
    monkeypatch.setattr('dev.ablation.runs.ROOT', tmp_path)

    def main(*arguments):
        monkeypatch.setattr(sys, 'argv', ['run_transfer.py', '--work-dir', 'work', '--starts',
                                          'nano', '--nano-checkpoint', 'nano.pth',
                                          *map(str, arguments)])
        module['main']()
    return main


def test_seeds_are_averaged_and_zero_shots_are_run_once(call, tmp_path, capsys):
    call('--data', 'raccoon', '--tunings', 'full', 'linear', '--seeds', 1, 3, '--jobs', 2)
    rows = [line.rsplit(' | ', 1)[0] for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == '| AP50: model | data | shots | seeds | full | linear'
    assert rows[2:8] == [
        '| nano | raccoon | 0 | 1 | 10.0 | 10.0',
        '| nano | raccoon | 1 | 2 | 22.2 ± 1.4 | 10.0 ± 0.0',
        '| nano | raccoon | 3 | 2 | 22.6 ± 1.4 | 10.0 ± 0.0',
        '| nano | raccoon | 5 | 2 | 23.0 ± 1.4 | 10.0 ± 0.0',
        '| nano | raccoon | 10 | 2 | 24.0 ± 1.4 | 10.0 ± 0.0',
        '| nano | raccoon | all | 2 | 52.0 ± 1.4 | 10.0 ± 0.0']
    assert '| nano | raccoon | all | 2 | 26.0 ± 0.7 | 5.0 ± 0.0' in rows
    runs = json.loads((tmp_path / 'work/results.json').read_text())['runs']
    assert len(runs) == 1 + 5 * 2 * 2
    assert (tmp_path / 'work/results.png').stat().st_size > 5000


def test_what_is_done_is_not_repeated(call, tmp_path):
    few = ['--data', 'bccd', '--shots', 5, '--tunings', 'full']
    call(*few, '--seeds', 1)
    (tmp_path / 'tools' / 'finetune.py').write_text('raise SystemExit(1)')
    call(*few, '--seeds', 1)
    with pytest.raises(SystemExit, match='full, 5 shots, seed 2: tools/finetune.py ended with'):
        call(*few, '--seeds', 1, 2)
    with pytest.raises(SystemExit, match='was made with other settings'):
        call(*few, '--seeds', 1, '--data-root', 'elsewhere')


def test_errors(call):
    with pytest.raises(SystemExit, match="'none.pth', the weights of 'nano', is not there: .* "
                                         '--nano-checkpoint FILE'):
        call('--nano-checkpoint', 'none.pth')
    with pytest.raises(SystemExit, match='--jobs 0 must be at least 1'):
        call('--jobs', 0)
    with pytest.raises(SystemExit, match="no run in 'work' is finished"):
        call('--report-only')
