"""The converters' command lines: MMDetection's commands work, and what they write is valid."""

import json
import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest
from mmcv.transforms import LoadImageFromFile
from mmdet.datasets import ODVGDataset
from mmdet.datasets.transforms import LoadAnnotations
from PIL import Image

from glip_mm.datasets.grounding_world import WorldOptions, write_world

TOOLS = Path(__file__).parents[2] / 'tools'


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a tool in this process; its exit status and what it printed."""

    def run(tool, *arguments):
        monkeypatch.setattr(sys, 'argv', [tool, *map(str, arguments)])
        status = 0
        try:
            runpy.run_path(str(TOOLS / tool), run_name='__main__')
        except SystemExit as stop:
            status = stop.code or 0
        return status, capsys.readouterr().out

    return run


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp('world')
    write_world(str(root), WorldOptions(detection=6, grounding=6, val=2, test=2, long_tail=2,
                side=96, seed=1),
                workers=1)
    return root


def container(path, **content):
    path.write_text(json.dumps(content))
    return path


def coco(path, name='a.jpg', image_id=1, **image):
    return container(
        path, images=[dict(id=image_id, file_name=name, height=40, width=50, **image)],
        annotations=[dict(image_id=image_id, bbox=[1, 1, 9, 9], category_id=38)],
        categories=[dict(id=38, name='Moniter/TV'), dict(id=93, name='Dog')])


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_world_there_and_back(run, world, tmp_path):
    """COCO JSON of the world becomes the ODVG lines that the world itself wrote."""
    out = tmp_path / 'train_od.json'
    status, text = run('dataset_converters/coco2odvg.py',
                       world / 'annotations/train_detection.json', '-o', out)
    assert status == 0 and '6 of 6 rows written' in text
    ours = [json.loads(line) for line in out.read_text().splitlines()]
    theirs = [json.loads(line) for line in
              (world / 'annotations/train_detection.jsonl').read_text().splitlines()]
    for row in ours:
        row.pop('image_id')
    assert ours == theirs
    label_map = tmp_path / 'train_od_label_map.json'
    assert json.loads(label_map.read_text()) == json.loads(
        (world / 'annotations/label_map.json').read_text())
    arguments = ['misc/validate_odvg.py', out, '--label-map', label_map, '--image-root',
                 world / 'images', '--check-images', '--workers', 1]
    status, text = run(*arguments)
    assert status == 0 and '6 of 6 rows usable' in text
    grounding = world / 'annotations/train_grounding.jsonl'
    assert run('misc/validate_odvg.py', grounding, '--workers', 1)[0] == 0
    (tmp_path / 'bad.json').write_text(out.read_text().replace('"label":', '"label":9'))
    arguments[1] = tmp_path / 'bad.json'
    status, text = run(*arguments, '--max-errors', 1)
    assert status == 1 and text.count('bad.json:1: detection.instances[0].label') == 1
    assert run(*arguments, '--strict')[0] == 1
    data = ODVGDataset(data_root=str(tmp_path), ann_file=out.name, label_map_file=label_map.name,
                       data_prefix=dict(img=str(world / 'images')), return_classes=True,
                       pipeline=[LoadImageFromFile(), LoadAnnotations(with_bbox=True)])
    assert data[0]['img'].shape == (96, 96, 3)
    assert data[0]['gt_bboxes'].tensor.tolist() == [
        one['bbox'] for one in theirs[0]['detection']['instances']]


@pytest.mark.parametrize('dataset, label_map', [
    ('coco', 'coco2017_label_map.json'), ('o365v1', 'o365v1_label_map.json'),
    ('o365v2', 'o365v2_label_map.json'), ('v3det', 'v3det_2023_v1_label_map.json')])
def test_names_of_coco2odvg(run, tmp_path, dataset, label_map):
    path = coco(tmp_path / 'x.json', 'images/v1/patch0/a.jpg')
    assert run('dataset_converters/coco2odvg.py', path, '-d', dataset)[0] == 0
    assert names(tmp_path) == sorted(['x.json', 'x_od.json', label_map])
    row = json.loads((tmp_path / 'x_od.json').read_text())
    assert row['filename'] == ('patch0/a.jpg' if dataset == 'o365v2' else 'images/v1/patch0/a.jpg')
    assert json.loads((tmp_path / label_map).read_text()) == {'0': 'Moniter/TV', '1': 'Dog'}


def test_objects365(run, tmp_path):
    path = coco(tmp_path / 'x.json')
    tool = 'dataset_converters/coco2odvg.py'
    assert run(tool, path, '-d', 'o365v2', '--fix-names')[0] == 0
    assert 'Monitor/TV' in (tmp_path / 'o365v2_label_map.json').read_text()
    assert 'Monitor/TV' in (tmp_path / 'x_od.json').read_text()
    assert '--fix-names' in run(tool, path, '--fix-names')[0]
    status, _ = run(tool, coco(tmp_path / 'y.json', image_id=908726), '-d', 'o365v2')
    assert 'missing or unreadable' in status and not (tmp_path / 'y_od.json').exists()


def test_lvis(run, tmp_path):
    path = coco(tmp_path / 'lvis_v1_train.json', coco_url='http://x/train2017/9.jpg')
    assert run('dataset_converters/lvis2odvg.py', path)[0] == 0
    assert names(tmp_path) == ['lvis_v1_label_map.json', 'lvis_v1_train.json',
                               'lvis_v1_train_od.json']
    assert 'train2017/9.jpg' in (tmp_path / 'lvis_v1_train_od.json').read_text()


def mdetr(path, spans=True):
    return container(
        path, images=[dict(id=i, file_name=f'{i}.jpg', height=40, width=50, caption='a dog',
                           data_source=source) for i, source in enumerate(('coco', 'vg'))],
        annotations=[dict(image_id=i, bbox=[1, 1, 9, 9],
                          **(dict(tokens_positive=[[0, 5]]) if spans else {})) for i in (0, 1)])


def test_grounding(run, tmp_path):
    path = mdetr(tmp_path / 'final_mixed_train.json')
    assert run('dataset_converters/goldg2odvg.py', path, '--coco-prefix', 'coco/train2014',
               '--vg-prefix', 'gqa/images')[0] == 0
    out = tmp_path / 'final_mixed_train_vg.json'
    assert [json.loads(line)['filename'] for line in out.read_text().splitlines()] == [
        'coco/train2014/0.jpg', 'gqa/images/1.jpg']
    assert run('dataset_converters/goldg2odvg.py', path, '--only', 'vg', '-o', out)[0] == 0
    assert len(out.read_text().splitlines()) == 1
    assert run('misc/validate_odvg.py', out, '--workers', 1)[0] == 0
    whole = mdetr(tmp_path / 'finetune_phrasecut_train.json', spans=False)
    assert run('dataset_converters/phrasecut2odvg.py', whole)[0] == 0
    status, _ = run('dataset_converters/goldg2odvg.py', whole, '-o', tmp_path / 'none.json')
    assert 'nothing to write' in status and not (tmp_path / 'none.json').exists()


def test_refcoco(run, tmp_path):
    mdetr(tmp_path / 'finetune_refcoco+_train.json', spans=False)
    status, text = run('dataset_converters/refcoco2odvg.py', tmp_path, '-o', tmp_path / 'out')
    assert status == 0 and 'finetune_grefcoco_train.json' in text
    assert names(tmp_path / 'out') == ['finetune_refcoco+_train_vg.json']
    assert 'none of' in run('dataset_converters/refcoco2odvg.py', tmp_path / 'out')[0]


def test_openimages(run, tmp_path):
    annotations, images = tmp_path / 'annotations', tmp_path / 'OpenImages/train'
    annotations.mkdir()
    images.mkdir(parents=True)
    Image.new('RGB', (50, 40)).save(images / 'aa.jpg')
    (annotations / 'class-descriptions-boxable.csv').write_text('/m/1,Cat\n')
    (annotations / 'oidv6-train-annotations-bbox.csv').write_text(
        'ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,'
        'IsGroupOf\naa,x,/m/1,1,0,1,0,1,0,0,0\n')
    for arguments in ([annotations], ['--input-dir', annotations]):
        assert run('dataset_converters/openimages2odvg.py', *arguments)[0] == 0
        assert json.loads((annotations / 'oidv6-train-annotations_od.json').read_text())[
            'detection']['instances'][0]['bbox'] == [0, 0, 50, 40]
        assert json.loads((annotations / 'openimages_label_map.json').read_text()) == {'0': 'Cat'}


def test_voc_and_tsv(run, tmp_path):
    (tmp_path / 'Annotations').mkdir()
    (tmp_path / 'Annotations/a.xml').write_text(
        '<annotation><size><width>50</width><height>40</height></size><object><name>dog</name>'
        '<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>'
        '</annotation>')
    assert run('dataset_converters/voc2odvg.py', tmp_path, '--voc')[0] == 0
    assert json.loads((tmp_path / 'all_od.json').read_text())['detection']['instances'] == [
        dict(bbox=[0, 0, 9, 9], label=11, category='dog')]
    (tmp_path / 'l.tsv').write_text('k\t[{"rect": [1, 1, 9, 9], "class": "dog"}]\n')
    (tmp_path / 'h.tsv').write_text('k\t40 50\n')
    (tmp_path / 'm.json').write_text('{"dog": 1}')
    (tmp_path / 'b.yaml').write_text('label: l.tsv\nhw: h.tsv\nlabelmap: m.json\n')
    assert run('dataset_converters/tsv2odvg.py', tmp_path / 'b.yaml')[0] == 0
    assert run('misc/validate_odvg.py', tmp_path / 'b_odvg.json', '--workers', 1, '--label-map',
               tmp_path / 'b_odvg_label_map.json')[0] == 0


def documented_commands():
    """Every command of the data page that runs a tool of this repository, as a list of words."""
    text = (TOOLS.parent / 'docs/data_preparation.md').read_text()
    blocks = re.findall(r'```bash\n(.*?)```', text, re.S)
    lines = '\n'.join(blocks).replace('\\\n', ' ').splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines
            if line.startswith('python tools/')]


@pytest.mark.parametrize('words', documented_commands(), ids=' '.join)
def test_documented_commands_are_understood(monkeypatch, words):
    if '--help' in words:
        return
    monkeypatch.setattr(sys, 'argv', words)
    tool = runpy.run_path(str(TOOLS.parent / words[0]))
    for question in ('exists', 'is_dir'):  # nobody has these files here
        monkeypatch.setattr(Path, question, lambda path: True)
    args = tool['parse_args']() if 'parse_args' in tool else tool['make_parser']().parse_args()
    assert all(word in map(str, flatten(vars(args).values())) for word in words[1:]
               if not word.startswith('-'))


def flatten(values):
    for value in values:
        yield from value if isinstance(value, list) else [value]


def test_every_converter_is_documented():
    used = {words[0] for words in documented_commands()}
    text = (TOOLS.parent / 'docs/data_preparation.md').read_text()
    for tool in (TOOLS / 'dataset_converters').glob('*2odvg.py'):
        assert f'tools/dataset_converters/{tool.name}' in used or tool.name in text


def test_missing_file_is_one_sentence(tmp_path, monkeypatch, capsys):
    converters = (TOOLS / 'dataset_converters').glob('*2odvg.py')
    for tool in (*converters, TOOLS / 'misc/validate_odvg.py'):
        monkeypatch.setattr(sys, 'argv', [str(tool), str(tmp_path / 'missing.json')])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(tool), run_name='__main__')
        assert end.value.code == 2, tool
        assert "missing.json' does not exist" in capsys.readouterr().err, tool
