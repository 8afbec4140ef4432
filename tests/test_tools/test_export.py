"""``tools/export.py`` and the program in the documentation that needs nothing of ours."""

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
main = runpy.run_path(str(ROOT / 'tools/export.py'))['main']


@pytest.fixture(scope='module')
def files(config, checkpoint, pictures, tmp_path_factory):
    """A folder with a config, a checkpoint, a list of names and a picture."""
    folder = tmp_path_factory.mktemp('files')
    config.dump(str(folder / 'nano.py'))
    shutil.copy(checkpoint, folder / 'nano.pth')
    shutil.copy(Path(pictures, '0.png'), folder / 'picture.png')
    (folder / 'names.txt').write_text('cat\n\n remote_control \ndog\n')
    return folder


def test_writes_a_checked_file(files, tmp_path, capsys):
    pytest.importorskip('onnx')
    pytest.importorskip('onnxruntime')
    out = tmp_path / 'model.onnx'
    assert main([str(files / 'nano.py'), str(files / 'nano.pth'), '--classes-file',
                 str(files / 'names.txt'), '--out', str(out), '--size', '96', '128', '--nms',
                 '--score-thr', '0.2', '--check', str(files / 'picture.png')]) == 0
    said = capsys.readouterr().out
    assert re.search(r'model.onnx: \d+\.\d MB\n', said)
    assert re.search(r'compared with PyTorch: 20 detections; .* 0.0% have no partner', said)
    from glip_mm.deploy import ONNXDetector
    detector = ONNXDetector(out)
    assert detector.names == ['cat', 'remote_control', 'dog'] and detector.metadata.nms
    assert detector.metadata.model_name == 'nano'

    # as in the documentation, in a process that never imports this package
    program = re.search(r'```python\n(import json\n.*?)```',
                        (ROOT / 'docs/deployment.md').read_text(), re.DOTALL).group(1)
    program = program.replace('pets.onnx', str(out)).replace(
        'kitchen.jpg', str(files / 'picture.png')).replace('0.5', '0.0')
    shutil.copy(ROOT / 'glip_mm/image_decoding.py', tmp_path)
    done = subprocess.run([sys.executable, '-c', program + '\nimport sys\n'
                           'assert not {"glip_mm", "torch", "mmcv"} & set(sys.modules)'],
                          capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 20


@pytest.mark.parametrize('options, message', [
    (['--format', 'caffe'], "--format 'caffe' is unknown: choose one of onnx"),
    (['--format', 'aot', '--nms'], "format='onnx' alone"),
    (['--check', 'nowhere.png'], "'nowhere.png' does not exist"),
    (['--rgb', '--no-normalize'], 'rgb=True needs normalize=True')])
def test_clear_errors(files, tmp_path, capsys, options, message):
    assert main([str(files / 'nano.py'), str(files / 'nano.pth'), '--text', 'cat. dog', '--out',
                 str(tmp_path / 'model.onnx'), *options]) == 1
    said = capsys.readouterr().err
    assert message in said and len(said.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_missing_file(files, tmp_path, capsys):
    with pytest.raises(SystemExit, match='2'):
        main(['no.py', 'no.pth', '--text', 'cat', '--out', str(tmp_path / 'model.onnx')])
    assert "config 'no.py' is not a file" in capsys.readouterr().err
