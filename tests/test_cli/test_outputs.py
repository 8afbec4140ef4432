"""Nothing is written over what is read."""

import argparse
import json
import re
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


NAMED = [
    ('bundle.yaml', 'img: a.tsv\nlabel: "in/b.tsv"\n', 'a.tsv', 'in/b.tsv', 'a.lineidx'),
    ('list.txt', './a.jpg\nin/b c.jpg\n', 'a.jpg', 'in/b c.jpg'),
    ('shards.json', '{"shards": ["a.tar", "in/\\u00fc.tar"]}', 'a.tar', 'in/ü.tar'),
    ('rows.jsonl', '{"filename": "in/b.jpg"}', 'in/b.jpg'),
    ('rows.csv', 'filename,caption\nin/b.jpg,a\n', 'in/b.jpg'),
    ('in', None, 'in/a.jpg', 'in/deep/a.PNG', 'in/a.xml',
     'in/labels/a.txt', 'in/a.tar', 'in/w.pth'),
    ('model', None, 'model/model.safetensors', 'model/config.json', 'model/language_model/x.json')]
#: Results of before beside what is read, and files that another one's name ends with.
OTHERS = ('a.json', 'in/out.jsonl', 'in/deep/a.onnx', 'other/a.tsv', 'a.tsv.json', 'aa.tsv',
          'c.jpg')


@pytest.mark.parametrize('source, text, read', [(a, b, read) for a, b, *read in NAMED])
@pytest.mark.parametrize('absolute', [False, True])
def test_what_an_input_stands_for(source, text, read, absolute, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (*read, *OTHERS, 'model/model.safetensors'):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text('x')
    if text is not None:
        Path(source).write_text(text)
    start = tmp_path if absolute else Path()
    for name in read:
        with pytest.raises(ValueError, match=f"belongs to '.*{source}', which is read"):
            outputs.check_apart(start / name, None, start / source)
        with pytest.raises(SystemExit, match='would be written over'):
            outputs.check_outputs(argparse.Namespace(data=[str(start / source)], coco=name))
    for name in OTHERS:
        outputs.check_apart(start / name, start / source)


@pytest.mark.parametrize('rows', ['{"filename": "b.jpg"}', '["b.jpg"]'])
def test_names_that_start_from_another_folder(rows, tmp_path):
    (tmp_path / 'images').mkdir()
    (tmp_path / 'images' / 'b.jpg').write_text('x')
    (tmp_path / 'rows.jsonl').write_text(rows)
    outputs.check_apart(tmp_path / 'images' / 'b.jpg', tmp_path / 'rows.jsonl')
    with pytest.raises(ValueError, match='belongs to'):
        outputs.check_apart(tmp_path / 'images' / 'b.jpg', tmp_path / 'rows.jsonl',
                            tmp_path / 'images')


def test_every_file_that_a_tool_writes_is_looked_at():
    option = re.compile(r"add_argument\(((?:'[-\w]+',?\s*)+)(.*?)\)\n", re.DOTALL)
    writes = re.compile(r'(also )?write .*file|write (the|one|a) |.*\bto write\b')
    found = set()
    for path in [*(ROOT / 'tools').rglob('*.py'), *(ROOT / 'demo').glob('*.py')]:
        for names, words in option.findall(path.read_text()):
            said = ''.join(re.findall(r"'([^']*)'", words.partition('help=')[2]))
            if writes.match(said) and 'folder' not in said:
                dest = re.search(r"dest='(\w+)'", words)
                found.add(dest[1] if dest else max(re.findall(r'\w[-\w]*', names), key=len)
                          .replace('-', '_'))
    assert found == {*outputs.WRITTEN, 'to', 'out_dir'}  # a format, a folder


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
