"""Folders in any format become ODVG lines or COCO JSON."""

import json
import runpy
import sys

import pytest
from PIL import Image

from glip_mm.datasets.formats import open_folder
from tests.test_package.test_import import ROOT


@pytest.fixture
def voc(tmp_path):
    """Two images of 40 x 30 with a box each, one in each list."""
    root = tmp_path / 'voc'
    for folder in ('Annotations', 'JPEGImages', 'ImageSets/Main'):
        (root / folder).mkdir(parents=True)
    for i, (split, name) in enumerate((('train', 'cat'), ('val', 'dog'))):
        Image.new('RGB', (40, 30)).save(root / f'JPEGImages/{i}.jpg')
        (root / f'Annotations/{i}.xml').write_text(
            f'<annotation><filename>{i}.jpg</filename><size><width>40</width><height>30</height>'
            f'</size><object><name>{name}</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>10</xmax>'
            '<ymax>20</ymax></bndbox></object></annotation>')
        (root / f'ImageSets/Main/{split}.txt').write_text(f'{i}\n')
    return root


def run(monkeypatch, *words):
    monkeypatch.setattr(sys, 'argv', ['convert_folder.py', *map(str, words)])
    runpy.run_path(str(ROOT / 'tools/dataset_converters/convert_folder.py'), run_name='__main__')


def test_to_odvg_and_back(voc, tmp_path, monkeypatch, capsys):
    run(monkeypatch, voc, '-o', tmp_path / 'odvg')
    row, = map(json.loads, (tmp_path / 'odvg/val.jsonl').read_text().splitlines())
    assert row['detection']['instances'] == [dict(bbox=[0, 0, 10, 20], label=1, category='dog')]
    assert json.loads((tmp_path / 'odvg/train_label_map.json').read_text()) == {
        '0': 'cat', '1': 'dog'}
    said = capsys.readouterr().out
    assert 'Pascal VOC' in said and "file names start from '" in said
    opened = open_folder(tmp_path / 'odvg')
    assert opened.format.name == 'odvg' and opened.classes('val') == ('cat', 'dog')
    assert opened.content('train')['annotations'][0]['bbox'] == [0, 0, 10, 20]


def test_to_coco(voc, tmp_path, monkeypatch):
    run(monkeypatch, voc, '--to', 'coco', '--split', 'val', '-o', tmp_path / 'coco')
    content = json.loads((tmp_path / 'coco/val.json').read_text())
    assert [c['name'] for c in content['categories']] == ['cat', 'dog']
    assert content['annotations'][0]['bbox'] == [0, 0, 10, 20]
    assert [p.name for p in (tmp_path / 'coco').iterdir()] == ['val.json']


@pytest.mark.parametrize('words, said', [
    (['--split', 'test'], "no split 'test', only 'train', 'val'"),
    (['--format', 'kitti'], "format 'kitti' is none of")])
def test_what_cannot_be_converted_is_one_sentence(voc, tmp_path, monkeypatch, words, said):
    with pytest.raises(SystemExit, match=said):
        run(monkeypatch, voc, *words, '-o', tmp_path / 'out')
    assert not (tmp_path / 'out').exists()
