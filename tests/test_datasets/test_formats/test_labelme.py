"""labelme's JSON and LabelMe's XML."""

import json

import pytest

from glip_mm.datasets.formats import labelme
from glip_mm.datasets.formats.image_annotations import NOT_FOUND, OUTLINE
from glip_mm.datasets.formats.xml_file import BAD_XML

CAT = [('cat', [10, 5, 20, 35])]


def shape(points=((10, 5), (30, 40)), kind='rectangle', label='cat', **more):
    return dict(label=label, points=points, group_id=None, shape_type=kind, flags={}, **more)


def file(*shapes, path='a.jpg', size=(100, 50)):
    return json.dumps(dict(version='5.0.1', flags={}, shapes=list(shapes or [shape()]),
                           imagePath=path, imageData=None, imageWidth=size[0],
                           imageHeight=size[1]))


@pytest.mark.parametrize('made, box, cause', [
    (shape(), CAT[0][1], ''),
    (shape([[30, 40], [10, 5]]), CAT[0][1], ''),
    (shape([[10, 5], [30, 5], [30, 40]], 'polygon'), CAT[0][1], OUTLINE),
    (shape([[10, 5], [20, 40], [30, 5]], 'linestrip'), CAT[0][1], OUTLINE),
    (shape([[50, 20], [53, 24]], 'circle'), [45, 15, 10, 10], OUTLINE),
    (shape([[10, 5]], 'point'), None, 'box of no width or height'),
    (shape([[10, 5], [30, None]]), None, 'box that is not four finite numbers'),
    (shape(None), None, 'box that is not four finite numbers'),
    (shape(label=None), None, 'box of a category that is not listed'),
    ('cat', None, 'box that is not four finite numbers')])
def test_shapes(tree, read, made, box, cause):
    folder = tree({'a.json': file(made), 'a.jpg': None, 'b.json': file(path='b.jpg'),
                   'b.jpg': None})
    assert labelme.FORMAT.sniff(folder).confidence == 1
    boxes, report = read(labelme, folder)['']
    assert boxes == {'a.jpg': [('cat', box)] if box else [], 'b.jpg': CAT}
    assert not cause or (report.dropped | report.changed)[cause] == 1


@pytest.mark.parametrize('path, files, found', [
    ('../images/a.jpg', ['images/a.jpg'], 'images/a.jpg'),
    (r'..\images\a.jpg', ['images/a.jpg', 'more/a.jpg'], 'images/a.jpg'),
    (r'C:\me\a.jpg', ['json/a.jpg'], 'json/a.jpg'),
    ('a.png', ['json/a.jpg'], 'json/a.jpg'),
    (None, ['json/a.jpg'], 'json/a.jpg'),
    ('../../a.jpg', ['x/b.jpg'], None),
    ('/etc/b.jpg', ['json/c.jpg'], None)])
def test_paths_of_images(tree, read, path, files, found):
    tree({'../a.jpg': None})
    folder = tree({'json/a.json': file(path=path, size=(None, None)), 'z/z.jpg': None,
                   'z/z.json': file(path='z.jpg'), **dict.fromkeys(files)})
    boxes, report = read(labelme, folder)['']
    assert boxes == {**({found: CAT} if found else {}), 'z/z.jpg': CAT}
    assert report.dropped[NOT_FOUND] == (found is None)


def test_splits_have_the_same_categories(tree):
    folder = tree({'train/a.json': file(shape(label='dog')), 'train/a.jpg': None,
                   'val/a.json': file(shape(difficult=True)), 'val/a.jpg': None})
    train, val = labelme.FORMAT.splits(folder)
    assert (train.name, val.name) == ('train', 'val')
    assert train.read()[0]['categories'] == val.read()[0]['categories'] == [
        dict(id=1, name='cat'), dict(id=2, name='dog')]
    assert val.read()[0]['annotations'][0]['iscrowd'] == 1


def test_files_of_other_kinds(tree, read):
    folder = tree({'a.json': file(), 'a.jpg': None, 'b.json': '{"shapes": [', 'c.json': '{}',
                   'd.xml': '<annotation>', 'e.json': '[1]'})
    boxes, report = read(labelme, folder)['']
    assert boxes == {'a.jpg': CAT}
    assert report.dropped == {labelme.BAD_JSON: 1, BAD_XML: 1, labelme.OTHER_FILE: 2}
    assert (report.rows_read, report.rows_written) == (3, 1)


def test_xml(tree, read):
    one = ('<object><name>cat</name><deleted>{}</deleted><type>bounding_box</type><polygon><pt>'
           '<x>10</x><y>5</y></pt><pt><x>30</x><y>40</y></pt></polygon></object>')
    folder = tree({'Annotations/one/a.xml': '<annotation><filename>a.jpg</filename><folder>one'
                   f'</folder>{one.format(0)}{one.format(1)}</annotation>',
                   'Images/one/a.jpg': None, 'Images/two/a.jpg': None, 'Masks/one/a.png': None})
    assert labelme.FORMAT.sniff(folder).confidence == 0.9
    boxes, report = read(labelme, folder)['']
    assert boxes == {'Images/one/a.jpg': CAT}
    assert report.dropped == {labelme.DELETED: 1}
