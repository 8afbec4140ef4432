"""VOC XML: pixels from 1 become half-open pixels from 0."""

import pytest

from glip_mm.datasets.converters import voc_records
from glip_mm.datasets.converters.voc import VOC_CLASSES, read_classes

XML = '''<annotation><filename>{name}</filename><size><width>50</width><height>40</height></size>
{objects}</annotation>'''
OBJECT = '''<object><name>{name}</name><difficult>{difficult}</difficult><bndbox>
<xmin>{box[0]}</xmin><ymin>{box[1]}</ymin><xmax>{box[2]}</xmax><ymax>{box[3]}</ymax></bndbox></object>'''


def write(folder, name, *objects):
    path = folder / f'{name}.xml'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(XML.format(name=f'{name}.jpg', objects=''.join(
        OBJECT.format(name=label, box=box, difficult=difficult)
        for label, box, difficult in objects)))


@pytest.fixture
def voc(tmp_path):
    annotations = tmp_path / 'Annotations'
    write(annotations, 'a', ('dog', (1, 1, 50, 40), 0), ('cat', (10, 10, 20, 20), 1),
          ('cow', (10, 10, 20, 20), 0), ('dog', (10, 10, 10, 20), 0), ('dog', ('', 1, 2, 3), 0))
    write(annotations, 'b', ('cat', (5, 5, 60, 9.5), 0))
    (annotations / 'c.xml').write_text('<annotation>')
    (annotations / 'd.xml').write_text('<annotation></annotation>')
    lists = tmp_path / 'ImageSets/Main'
    lists.mkdir(parents=True)
    (lists / 'train.txt').write_text('b\nmissing\n')
    return tmp_path


def test_boxes(voc):
    records = voc_records(voc, classes=dict(cat='cat', dog='hound'), image_folder='JPEGImages/')
    a, b = records
    assert records.label_map == {0: 'cat', 1: 'hound'}
    assert a == dict(filename='JPEGImages/a.jpg', height=40, width=50, detection=dict(instances=[
        dict(bbox=[0, 0, 50, 40], label=1, category='hound'),
        dict(bbox=[9, 9, 20, 20], label=0, category='cat', ignore=1)]))
    assert b['detection']['instances'][0]['bbox'] == [4, 4, 50, 9.5]
    assert records.report.dropped == {
        'box of a class that is not listed': 1, 'box that is not four finite numbers': 1,
        'box one pixel thin or less': 1, 'XML file that cannot be parsed': 1,
        'XML file without the size of its image': 1}
    assert (records.report.rows_read, records.report.rows_written) == (4, 2)


def test_split_and_gathered_classes(voc):
    records = voc_records(voc, split='train', first_pixel=0)
    row, = records
    assert records.label_map == {0: 'cat'}
    assert row['detection']['instances'][0]['bbox'] == [5, 5, 50, 10.5]
    assert records.report.dropped == {'XML file that is listed but missing': 1}
    with pytest.raises(FileNotFoundError, match=r"\['train'\]"):
        voc_records(voc, split='val')


def test_imagenet_layout(tmp_path):
    write(tmp_path, 'n01/n01_7', ('n01', (1, 1, 9, 9), 0))
    write(tmp_path, 'n04/n04_1', ('n04', (1, 1, 9, 9), 0))
    synsets = tmp_path / 'map.txt'
    synsets.write_text('n00 crane\nn01 tench, Tinca tinca\nn04 crane\n')
    records = voc_records(tmp_path, classes=read_classes(synsets, synsets=True), suffix='.JPEG')
    tench, crane = records
    assert records.label_map == {0: 'crane', 1: 'tench'}
    assert tench['filename'] == 'n01/n01_7.JPEG'
    assert tench['detection']['instances'][0] == dict(bbox=[0, 0, 9, 9], label=1, category='tench')
    # the bird and the machine: a prompt cannot tell them apart
    assert crane['detection']['instances'][0] == dict(bbox=[0, 0, 9, 9], label=0, category='crane')


def test_class_files(tmp_path):
    path = tmp_path / 'names.txt'
    path.write_text('red cat\n\ndog\n')
    assert read_classes(path) == {'red cat': 'red cat', 'dog': 'dog'}
    path.write_text('cat\ncat\n')
    with pytest.raises(ValueError, match='line 2'):
        read_classes(path)
    path.write_text('\n')
    with pytest.raises(ValueError, match='no class'):
        read_classes(path)
    with pytest.raises(FileNotFoundError, match='no XML'):
        voc_records(tmp_path)
    assert len(set(VOC_CLASSES)) == 20
