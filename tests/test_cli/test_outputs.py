"""Nothing is written over what is read."""

import argparse
import json
from pathlib import Path

import pytest
from PIL import Image

from glip_mm_cli import outputs
from tests import forked
from tests.forked import ROOT


def test_the_same_file_by_another_name(tmp_path):
    (tmp_path / 'a').write_text('x')
    (tmp_path / 'b').symlink_to('a')
    outputs.check_apart(tmp_path / 'c', tmp_path / 'a', None, tmp_path)
    for name in ('a', 'b', '../' + tmp_path.name + '/a'):
        with pytest.raises(ValueError, match='is read, and would be written over'):
            outputs.check_apart(tmp_path / name, None, tmp_path / 'a')


@pytest.mark.parametrize('given', [
    dict(src='a', dst=Path('a')), dict(input='a', output='./a'), dict(video='a', out='a'),
    dict(video='b', checkpoint='a', out=None, out_predictions='a'), dict(file=['x', 'a'], out='a'),
    dict(input='a', output='x', label_map='a')])
def test_arguments(given, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path('a').write_text('x')
    with pytest.raises(SystemExit, match="'a' is read, and would be written over"):
        outputs.check_outputs(argparse.Namespace(**given))
    Path('a').unlink()
    outputs.check_outputs(argparse.Namespace(**given))


@pytest.mark.parametrize('tool, words', [
    ('demo/video_demo.py', ['a', 'glip_swin-t_o365', '--texts', 'a', '--out', 'a']),
    ('tools/model_converters/convert_glip.py', ['a', 'a'])])
def test_tools(tool, words, tmp_path):
    (tmp_path / 'a').write_text('precious')
    done = forked.run(ROOT / tool, *words, cwd=tmp_path)
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert "'a' is read, and would be written over: give another output" in done.stderr
    assert (tmp_path / 'a').read_text() == 'precious'


def test_a_file_of_annotations_in_the_folder_of_the_result(tmp_path):
    content = dict(images=[dict(id=1, file_name='a.png', width=9, height=9)],
                   annotations=[dict(id=1, image_id=1, category_id=1, bbox=[1, 1, 5, 5], area=25)],
                   categories=[dict(id=1, name='cat')])
    Image.new('RGB', (9, 9)).save(tmp_path / 'a.png')
    path = tmp_path / 'all.json'
    path.write_text(json.dumps(content))
    done = forked.run(ROOT / 'tools/dataset_converters/convert_folder.py', path, '--to', 'coco',
                      '-o', tmp_path, cwd=tmp_path)
    assert done.returncode and 'would be written over' in done.stderr, done
    assert json.loads(path.read_text()) == content
