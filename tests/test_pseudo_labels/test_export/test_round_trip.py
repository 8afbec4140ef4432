"""Every format, read back by others and compared with the labels."""

import json
import os
import xml.etree.ElementTree as ElementTree
from urllib.parse import unquote

import pytest
import yaml
from pycocotools.coco import COCO

from glip_mm.datasets import GroundingDataset
from glip_mm.datasets.converters import coco_records, voc_records
from glip_mm.datasets.formats import open_folder
from glip_mm.pseudo_labels.export import FORMATS, Collection, category_name, export_labels
from glip_mm.pseudo_labels.label_rows import LabelRows
from tests.test_pseudo_labels.label_world import ROWS

#: The second "dog" of the first caption is the first one again, and goes.
EXPECTED = {
    ('a/1.jpg', 'dog'): [[10.25, 20.5, 60.13, 80.07], [100.0, 0.0, 200.0, 119.99]],
    ('a/1.jpg', 'sofa'): [[0, 30, 190.4, 120]],
    ('a/2.jpg', 'big puppy'): [[3.3, 4.4, 55.5, 66.6]],
    ('a/3.jpg', 'cat'): [[5, 5, 20, 21]],
    ('b/1.jpg', 'äffchen'): [[1.1, 2.2, 33.3, 44.4]],
}
SCORES = {('a/1.jpg', 'dog'): [0.9, 0.55], ('a/1.jpg', 'sofa'): [0.6123],
          ('a/2.jpg', 'big puppy'): [0.8], ('a/3.jpg', 'cat'): [0.31],
          ('b/1.jpg', 'äffchen'): [0.5]}
NAMES = ['dog', 'big puppy', 'cat', 'sofa', 'äffchen']  # most boxes first, then by name


@pytest.fixture
def exported(labels, images, tmp_path, request):
    out = tmp_path / 'out'
    collection = Collection(LabelRows(labels), images, progress=False)
    assert collection.categories == NAMES
    assert export_labels(collection, request.param, out) == (4, 6 if request.param != 'odvg' else 7)
    return out


def gather(found):
    result = {}
    for name, category, box in found:
        result.setdefault((name, category), []).append(box)
    return result


def is_expected(found):
    assert set(found) == set(EXPECTED)
    for key, boxes in EXPECTED.items():
        assert len(found[key]) == len(boxes)
        for own, box in zip(found[key], boxes):
            assert own == pytest.approx(box, abs=1e-6), key


@pytest.mark.parametrize('exported', ['coco'], indirect=True)
def test_coco(exported):
    coco = COCO(str(exported / 'annotations/instances_default.json'))
    names = {c['id']: c['name'] for c in coco.loadCats(coco.getCatIds())}
    assert list(names.values()) == NAMES and list(names) == [1, 2, 3, 4, 5]
    found, scores = [], []
    for number in coco.getImgIds():
        image = coco.loadImgs(number)[0]
        assert (image['width'], image['height']) == ((64, 48) if image['file_name'] == 'b/1.jpg'
                                                     else (200, 120))
        for one in coco.loadAnns(coco.getAnnIds(number)):
            x, y, width, height = one['bbox']
            assert one['area'] == pytest.approx(width * height, abs=1e-6)
            # what CVAT takes for a rectangle
            assert one['segmentation'] == [] and one['iscrowd'] == 0
            key = image['file_name'], names[one['category_id']]
            found.append((*key, [x, y, x + width, y + height]))
            scores.append((*key, one['score']))
    is_expected(gather(found))
    assert gather(scores) == SCORES
    content = json.loads((exported / 'annotations/instances_default.json').read_text())
    assert {'info', 'licenses', 'categories', 'images', 'annotations'} == set(content)
    assert [label['name'] for label in json.loads((exported / 'cvat_labels.json').read_text())
            ] == NAMES
    # and by this package
    records = list(coco_records(exported / 'annotations/instances_default.json', progress=False))
    is_expected(gather((r['filename'], i['category'], i['bbox'])
                       for r in records for i in r['detection']['instances']))


@pytest.mark.parametrize('exported', ['yolo'], indirect=True)
def test_yolo(exported, images):
    data = yaml.safe_load((exported / 'data.yaml').read_text())
    assert list(data['names'].values()) == NAMES and list(data['names']) == [0, 1, 2, 3, 4]
    found = []
    for line in (exported / data['train']).read_text().splitlines():
        # as Ultralytics looks for labels: by the path of the image, links as they are
        path = str(exported / line[2:])
        assert os.path.isfile(path)
        assert os.path.samefile(path, images / line.partition('images/')[2])
        name = line.removeprefix('./images/')
        width, height = (64, 48) if name == 'b/1.jpg' else (200, 120)
        label = '/labels/'.join(path.rsplit('/images/', 1)).rsplit('.', 1)[0] + '.txt'
        with open(label) as file:
            for entry in file:
                category, *shares = entry.split()
                x, y, w, h = map(float, shares)
                assert all(0 <= share <= 1 for share in (x, y, w, h))
                found.append((name, data['names'][int(category)], [
                    (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width,
                    (y + h / 2) * height]))
    is_expected(gather(found))


@pytest.mark.parametrize('exported', ['voc'], indirect=True)
def test_voc(exported):
    names = (exported / 'ImageSets/Main/train.txt').read_text().split()
    assert names == ['a/1', 'a/2', 'a/3', 'b/1']
    found, scores = [], []
    for name in names:
        root = ElementTree.parse(exported / 'Annotations' / f'{name}.xml').getroot()
        file = root.findtext('filename')
        assert (exported / 'JPEGImages' / file).is_file()
        assert root.findtext('folder') == name[0] and root.findtext('size/depth') == '3'
        for one in root.iter('object'):
            x1, y1, x2, y2 = (float(one.findtext(f'bndbox/{key}'))
                              for key in ('xmin', 'ymin', 'xmax', 'ymax'))
            # pixels from 1, the last one included
            found.append((file, one.findtext('name'), [x1 - 1, y1 - 1, x2, y2]))
            scores.append((file, one.findtext('name'), float(one.findtext('score'))))
    is_expected(gather(found))
    assert gather(scores) == SCORES
    assert (exported / 'labelmap.txt').read_text().splitlines() == [
        '# label:color_rgb:parts:actions', *(f'{name}:::' for name in NAMES)]
    records = list(voc_records(exported, 'train'))
    is_expected(gather((r['filename'], i['category'], i['bbox'])
                       for r in records for i in r['detection']['instances']))


@pytest.mark.parametrize('exported', ['labelstudio'], indirect=True)
def test_label_studio(exported):
    interface = ElementTree.parse(exported / 'interface.xml').getroot()
    image, labels = interface.find('Image'), interface.find('RectangleLabels')
    assert [label.get('value') for label in labels] == NAMES
    tasks = json.loads((exported / 'tasks.json').read_text())
    assert len(tasks) == 4
    found, scores = [], []
    for task in tasks:
        data, (prediction,) = task['data'], task['predictions']
        # what the interface asks for is there
        assert {interface.find('Text').get('value'), image.get('value')} == {'$caption', '$image'}
        name = unquote(data['image']).removeprefix('/data/local-files/?d=images/')
        assert name == data['filename']
        for result in prediction['result']:
            assert result['type'] == 'rectanglelabels'
            assert result['from_name'] == labels.get('name')
            assert result['to_name'] == labels.get('toName') == image.get('name')
            value, (category,) = result['value'], result['value']['rectanglelabels']
            width, height = result['original_width'], result['original_height']
            x, y, w, h = (value[key] / 100 for key in ('x', 'y', 'width', 'height'))
            found.append((name, category, [x * width, y * height, (x + w) * width,
                                           (y + h) * height]))
            scores.append((name, category, result['score']))
        assert prediction['score'] == min(r['score'] for r in prediction['result'])
        assert len({r['id'] for r in prediction['result']}) == len(prediction['result'])
    is_expected(gather(found))
    assert gather(scores) == SCORES


@pytest.mark.parametrize('exported', ['odvg'], indirect=True)
def test_odvg_is_what_it_was(exported):
    rows = [json.loads(line) for path in sorted(exported.glob('*.jsonl'))
            for line in path.read_text().splitlines()]
    assert rows == ROWS
    assert [path.name for path in sorted(exported.iterdir())] == ['00000.jsonl', '00001.jsonl']


def test_odvg_that_was_chosen_from_is_training_data(labels, tmp_path):
    collection = Collection(LabelRows(labels), min_score=0.6, progress=False)
    assert export_labels(collection, 'odvg', tmp_path / 'out') == (2, 4)
    dataset = GroundingDataset(str(tmp_path / 'out/*.jsonl'))
    assert len(dataset) == 2
    first = dataset.get_data_info(0)
    assert [i['score'] for i in first['instances']] == [0.9, 0.7, 0.6123]
    first = json.loads((tmp_path / 'out/00000.jsonl').read_text().splitlines()[0])
    assert [e['phrase'] for e in first['grounding']['without_box']] == ['more']
    collection = Collection(LabelRows(labels), min_score=0.8, progress=False)
    export_labels(collection, 'odvg', tmp_path / 'less')
    first = json.loads((tmp_path / 'less/00000.jsonl').read_text().splitlines()[0])
    # in the order of the caption
    assert [e['phrase'] for e in first['grounding']['without_box']] == ['the dog', 'a sofa', 'more']


@pytest.mark.parametrize('exported', ['yolo', 'voc'], indirect=True)
def test_own_readers(exported):
    opened = open_folder(exported)
    split, = {'train', ''} & set(opened.splits)
    content = opened.content(split)
    names = {row['id']: row['name'] for row in content['categories']}
    images = {row['id']: row['file_name'].removeprefix('images/').removeprefix('JPEGImages/')
              for row in content['images']}
    is_expected(gather((images[row['image_id']], names[row['category_id']],
                        [*(x := row['bbox'])[:2], x[0] + x[2], x[1] + x[3]])
                       for row in content['annotations'] if not row['iscrowd']))
    assert not opened.report(split).dropped


def test_every_format_has_a_test():
    assert set(FORMATS) == {'coco', 'yolo', 'voc', 'labelstudio', 'odvg'}


@pytest.mark.parametrize('phrase, name', [
    ('a Dog', 'dog'), ('dog', 'dog'), ('The  big\tDog ', 'big dog'), ('the', 'the'),
    ('another dog', 'another dog')])
def test_category_name(phrase, name):
    assert category_name(phrase) == name
