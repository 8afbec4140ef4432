"""The demo as a user runs it."""

import json
import os
import runpy
import shutil
import sys
from pathlib import Path

import pytest
import torch

from glip_mm.apis import Thresholds
from tests import forked

REPOSITORY = Path(__file__).parents[2]
DEMO = REPOSITORY / 'demo' / 'image_demo.py'


@pytest.fixture(scope='module')
def config_file(config, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp('config') / 'nano.py'
    config.dump(path)
    return str(path)


def test_folder_with_a_bad_image(config_file, checkpoint, pictures, inferencer, tmp_path):
    folder = tmp_path / 'in'
    folder.mkdir()
    for path in Path(pictures).iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / 'bad.jpg').write_bytes(b'no picture')
    args = [folder, config_file, '--weights', checkpoint, '--out-dir', tmp_path / 'out', '-c',
            '--texts', 'red circle. box', '--batch-size', 2, '--device', 'cpu', '--print-result',
            '--pred-score-thr', 0]
    run = forked.run(DEMO, *args, env={**os.environ, 'PYTHONPATH': str(REPOSITORY)})
    assert run.returncode == 0, run.stderr
    assert 'bad.jpg' in run.stdout + run.stderr
    found = [json.loads(line) for line in run.stdout.splitlines()]  # nothing else is there
    assert run.stderr.splitlines()[-1].endswith(' in 3 of 4 images')
    expected = inferencer(pictures, ['red circle', 'box'])['predictions']
    assert [row['names'] for row in found] == [result.names for result in expected]
    names = sorted(str(p.relative_to(tmp_path / 'out')) for p in (tmp_path / 'out').rglob('*.*'))
    assert names == ['preds/0.json', 'preds/1.json', 'preds/2.json',
                     'vis/0.png', 'vis/1.png', 'vis/2.png']


def test_settings_of_the_config(config, checkpoint, pictures, tmp_path, monkeypatch, capsys):
    """Definitions from a file, as GLIPInferencer takes them."""
    from glip_mm.apis import GLIPInferencer
    plain = config.copy()
    plain.merge_from_dict({'model.fusion_neck.fuse': False})
    plain.dump(tmp_path / 'plain.py')
    model = GLIPInferencer(plain, device='cpu', show_progress=False).model
    for parameter in model.bbox_head.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'plain.pth')
    (tmp_path / 'a.json').write_text('{"box": "a square thing"}')
    options = {'model.class_texts.knowledge': str(tmp_path / 'a.json')}
    known = plain.copy()
    known.merge_from_dict(options)
    expected, other = (
        GLIPInferencer(c, tmp_path / 'plain.pth', 'cpu', show_progress=False)(
            f'{pictures}/0.png', ['red circle', 'box'])['predictions'][0].to_dict()
        for c in (known, plain))
    monkeypatch.setattr(sys, 'argv', [
        'image_demo.py', f'{pictures}/0.png', str(tmp_path / 'plain.py'), '--weights',
        str(tmp_path / 'plain.pth'), '--device', 'cpu', '--out-dir', '', '--print-result', '-c',
        '--texts', 'red circle. box', '--cfg-options', *(f'{k}={v}' for k, v in options.items())])
    runpy.run_path(str(DEMO), run_name='__main__')
    found = json.loads(next(line for line in capsys.readouterr().out.splitlines()
                            if line.startswith('{')))
    assert found['names'] == expected['names'] and len(found['names']) > 0
    assert found['scores'] == pytest.approx(expected['scores'], abs=2e-4)  # rounded
    assert found['scores'] != pytest.approx(other['scores'], abs=1e-2)


@pytest.mark.parametrize('args, words', [
    (['none.jpg', 'CONFIG', '--texts', 'box', '-c'], "'none.jpg' does not exist"),
    (['IMAGE', 'glip_none', '--texts', 'box', '-c'], 'glip_swin-t_o365'),
    (['IMAGE', 'CONFIG', '--texts', '', '-c'], 'empty'),
    (['IMAGE', 'CONFIG', '--texts', 'a box', '-p', '[[[0, 9]]]'], r'[0, 9]'),
    (['clip.mp4', 'CONFIG', '--texts', 'box', '-c'], 'is a video: demo/video_demo.py takes those'),
    (['IMAGE', 'CONFIG', '--texts', 'box', '-c', '--device', 'cuda:77'],
     "device='cuda:77' can not be used"),
    (['IMAGE', 'glip_none', '--texts', 'box', '-c', '--show'], 'show needs a display'),
    (['IMAGE', 'CONFIG', '--texts', 'box', '-c', '--tile', '3'], 'tile=3'),
    (['FOLDER', 'CONFIG', '--texts', 'box', '-c', '--out-dir', 'TAKEN'],
     'none of the 3 images could be used, drawn or written; the first: '),
    (['IMAGE', 'CONFIG', '--texts', 'box', '-c', '--pred-score-thr', 'box'], "'box' is no thresh"),
    (['IMAGE', 'CONFIG', '--texts', 'box', '-c', '--negatives', 'box'], 'looked for, too'),
    (['IMAGE', 'glip_none', '--texts-file', 'none.txt'], "'none.txt' is missing"),
    (['CONFIG', 'IMAGE', '--texts', 'box'], ".png' is a file, but no config (.py .json"),
    (['IMAGE', 'CONFIG', '--texts', 'box', '--cfg-options', 'model=3'], "model='3', not a dict"),
    (['IMAGE', 'CONFIG', '--texts', 'box', '--cfg-options', 'model.neck.in_channels.9=1'],
     '--cfg-options model.neck.in_channels.9=1 does not fit'),
])
def test_bad_input_is_one_line(args, words, config_file, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr('matplotlib.pyplot.get_backend', lambda: 'agg')
    (tmp_path / 'clip.mp4').write_bytes(b'video')
    (tmp_path / 'preds').touch()  # a file where the folder would be
    places = {'CONFIG': config_file, 'IMAGE': f'{pictures}/0.png', 'FOLDER': pictures,
              'TAKEN': str(tmp_path), 'clip.mp4': str(tmp_path / 'clip.mp4')}
    args = ['--device', 'cpu', '--out-dir', '', *(places.get(arg, arg) for arg in args)]
    monkeypatch.setattr(sys, 'argv', ['image_demo.py', *args])
    with pytest.raises(SystemExit) as info:
        runpy.run_path(str(DEMO), run_name='__main__')
    # a string as exit code: Python prints it to stderr and exits with 1
    assert words in info.value.code and '\n' not in info.value.code


def test_all_options_together(inferencer, pictures, tmp_path, monkeypatch, capsys):
    """A model in a folder, names in a file, subfolders, thresholds, negatives, tiles, COCO."""
    inferencer.save_pretrained(tmp_path / 'model')
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in' / 'deep').symlink_to(pictures)
    shutil.copytree(pictures, tmp_path / 'in' / 'copy')
    (tmp_path / 'names.txt').write_text('red circle\nbox\n')
    options = dict(negatives=['blue star'], tile=64, overlap=0.5, batch_size=4)
    monkeypatch.setattr(sys, 'argv', [
        'image_demo.py', str(tmp_path / 'in'), str(tmp_path / 'model'), '--device', 'cpu',
        '--recursive', '--texts-file', str(tmp_path / 'names.txt'), '--negatives', 'blue star',
        '--tile', '64', '--overlap', '0.5', '--batch-size', '4', '--pred-score-thr', '0.5',
        'red circle=0.6', '--coco', str(tmp_path / 'found.json'), '--out-dir', ''])
    runpy.run_path(str(DEMO), run_name='__main__')
    said = capsys.readouterr()
    wanted = inferencer(pictures, ['red circle', 'box'], **options,
                        pred_score_thr=Thresholds(0.5, {'red circle': 0.6}))
    assert said.out == '' and said.err.splitlines()[-1] == wanted.summary()
    assert wanted.summary().endswith(' in 3 images')
    content = json.loads((tmp_path / 'found.json').read_text())
    assert [a['bbox'] for a in content['annotations']] == [
        a['bbox'] for a in wanted.to_coco()['annotations']]


def test_spans_that_are_no_list(config_file, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['image_demo.py', 'x.jpg', config_file, '--texts', 'a box',
                                      '-p', '0 to 5'])
    with pytest.raises(SystemExit):
        runpy.run_path(str(DEMO), run_name='__main__')
    assert "'0 to 5' is no list of spans" in capsys.readouterr().err


@pytest.mark.parametrize('options, message', [
    (['gone.jpg', '--texts', 'cat'], "inputs: 'gone.jpg' does not exist"),
    (['empty', '--texts', 'cat'], 'holds no image'),
    (['--texts', ''], 'texts'),
    (['--texts', 'cat', '--shortlist', '0'], 'shortlist'),
    (['--texts', 'cat', '--chunked-size', '0'], 'chunked_size'),
    (['--texts', 'cat', '--tile', '-3'], 'tile=-3'),
    (['--texts', 'cat', '--tile', '64', '--overlap', '2'], 'overlap=2'),
    (['--texts', 'cat', '--batch-size', '0'], '--batch-size must be 1 or more'),
    (['--texts', 'cat', '-c', '--negatives', 'cat'], "negatives=['cat']"),
    (['--texts', 'a cat', '-p', '[[[0, 50]]]'], '50'),
    (['--texts', 'cat', '--calibrate', 'gone'], "--calibrate 'gone' is not there"),
    (['--texts', 'cat', '--coco', 'empty'], "--coco 'empty' is a folder"),
    (['--texts', 'cat', '--out-dir', 'a.jpg'], "--out-dir 'a.jpg' is a file: give a folder"),
])
def test_mistakes_are_said_before_weights_are_downloaded(config_file, pictures, tmp_path, options,
                                                         message):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'a.jpg').touch()
    inputs, options = ([options[0]], options[1:]) if options[0][0] != '-' else ([pictures], options)
    run = forked.run(DEMO, *inputs, config_file, '--weights', 'http://127.0.0.1:9/weights.pth',
                     *options, cwd=tmp_path, env={**os.environ, 'PYTHONPATH': str(REPOSITORY)})
    assert run.returncode and message in run.stderr, run.stderr
    assert '127.0.0.1' not in run.stdout + run.stderr and 'Traceback' not in run.stderr
