"""Pascal VOC: layouts, names of images, counting of pixels, and broken files."""

import pytest

from glip_mm.datasets.formats import voc
from glip_mm.datasets.formats.image_annotations import NOT_FOUND, SECOND
from glip_mm.datasets.formats.xml_file import BAD_XML, OTHER_ENCODING

OBJECT = ('<object><name>{}</name><difficult>{}</difficult><bndbox><xmin>{}</xmin><ymin>{}</ymin>'
          '<xmax>{}</xmax><ymax>{}</ymax></bndbox></object>')


def xml(name='a.jpg', *objects, size=(100, 50), folder='', head=''):
    size = '' if size is None else (f'<size><width>{size[0]}</width><height>{size[1]}</height>'
                                    '</size>')
    return (f'{head}<annotation><folder>{folder}</folder><filename>{name}</filename>{size}'
            + ''.join(objects or [obj()]) + '</annotation>')


def obj(name='cat', box=(11, 6, 30, 40), difficult=0):
    return OBJECT.format(name, difficult, *box)


CAT = [('cat', [10, 5, 20, 35])]


@pytest.mark.parametrize('lists, splits', [
    ({}, {'': 'ab'}),
    ({'train': 'a\n', 'val': 'b 1\n', 'trainval': 'a\nb\n', 'cat_train': 'a -1\n'},
     dict(train='a', val='b')),
    ({'trainval': 'a\nb\n'}, {'': 'ab'}),
    ({'trainval': 'a.jpg\n', 'test': '# note\nb\n'}, dict(train='a', test='b')),
    ({'fold1': 'a', 'fold2': 'b', 'cat_val': 'a 1'}, dict(fold1='a', fold2='b'))])
@pytest.mark.parametrize('base', ['', 'VOCdevkit/VOC2012/'])
def test_lists(tree, read, lists, splits, base):
    folder = tree({f'{base}{name}': content for name, content in {
        'Annotations/a.xml': xml(), 'Annotations/b.xml': xml('b.jpg'),
        'JPEGImages/a.jpg': None, 'JPEGImages/b.jpg': None, 'SegmentationClass/a.png': None,
        **{f'ImageSets/Main/{name}.txt': text for name, text in lists.items()}}.items()})
    assert voc.FORMAT.sniff(folder).confidence == (0.9 if base else 1)
    assert {name: boxes for name, (boxes, _) in read(voc, folder).items()} == {
        split: {f'{base}JPEGImages/{name}.jpg': CAT for name in names}
        for split, names in splits.items()}


@pytest.mark.parametrize('place', ['Annotations', 'annotations'])
@pytest.mark.parametrize('line', ['a', 'JPEGImages/a.jpg', r'JPEGImages\a.jpg',
                                  './JPEGImages/a.jpg ./Annotations/a.xml'])
def test_lists_in_the_ways_of_tools(tree, read, place, line):
    folder = tree({f'{place}/a.xml': xml(), f'{place}/b c.xml': xml('b c.jpg'),
                   'JPEGImages/a.jpg': None, 'JPEGImages/b c.jpg': None,
                   'ImageSets/Main/train.txt': f'{line}\n', 'ImageSets/Main/val.txt': 'b c\n'})
    assert {name: boxes for name, (boxes, _) in read(voc, folder).items()} == dict(
        train={'JPEGImages/a.jpg': CAT}, val={'JPEGImages/b c.jpg': CAT})


def test_both_years(tree, read):
    folder = tree({f'VOC{year}/{name}': content for year in (2007, 2012) for name, content in {
        'Annotations/a.xml': xml(folder=f'VOC{year}'), 'JPEGImages/a.jpg': None,
        'ImageSets/Main/train.txt': 'a'}.items()})
    assert read(voc, folder)['train'][0] == {f'VOC{year}/JPEGImages/a.jpg': CAT
                                             for year in (2007, 2012)}


def test_folders_of_splits(tree, read):
    folder = tree({'train/a.xml': xml(), 'train/a.jpg': None,
                   'valid/a.xml': xml(folder='train'), 'valid/a.jpg': None})
    assert {name: boxes for name, (boxes, _) in read(voc, folder).items()} == dict(
        train={'train/a.jpg': CAT}, val={'valid/a.jpg': CAT})


@pytest.mark.parametrize('name, folder, files, found', [
    ('a.png', '', ['a.jpg'], 'a.jpg'),
    ('a', '', ['a.jpg'], 'a.jpg'),
    ('', '', ['a.jpg'], 'a.jpg'),
    ('a.png', '', ['a.jpg', 'a.png'], 'a.png'),
    ('other.jpg', '', ['a.jpg', 'other.jpg'], 'a.jpg'),
    ('other.jpg', '', ['other.jpg'], 'other.jpg'),
    ('a.jpg', 'sub', ['sub/a.jpg', 'more/a.jpg'], 'sub/a.jpg'),
    ('sub/a.jpg', '', ['sub/a.jpg', 'more/a.jpg'], 'sub/a.jpg'),
    (r'C:\me\sub\a.jpg', '', ['sub/a.jpg', 'more/a.jpg'], 'sub/a.jpg'),
    ('/etc/a.jpg', '', ['images/a.jpg'], 'images/a.jpg'),
    ('../a.jpg', '', ['sub/a.jpg', 'more/a.jpg'], None),
    ('a.jpg', '', ['sub/a.jpg', 'more/a.jpg'], None)])
def test_names_of_images(tree, read, name, folder, files, found):
    tree({'../a.jpg': None}, 'data')
    path = tree({'a.xml': xml(name, folder=folder), 'z.xml': xml('z.jpg'), 'z.jpg': None,
                 **dict.fromkeys(files)})
    boxes, report = read(voc, path)['']
    assert boxes == {**({found: CAT} if found else {}), 'z.jpg': CAT}
    assert report.dropped[NOT_FOUND] == (found is None)


def test_an_image_is_not_taken_for_that_of_another_folder(tree, read):
    folder = tree({'Annotations/cam1/7.xml': xml('cam1/7.jpg'), 'JPEGImages/cam2/7.jpg': None,
                   'Annotations/cam2/7.xml': xml('7.jpg', obj('dog'))})
    boxes, report = read(voc, folder)['']
    assert boxes == {'JPEGImages/cam2/7.jpg': [('dog', CAT[0][1])]}
    assert report.dropped[NOT_FOUND] == 1


def test_two_annotations_of_an_image(tree, read):
    folder = tree({'a.xml': xml(), 'a.jpg': None, 'labels/a.xml': xml(folder='x')})
    boxes, report = read(voc, folder)['']
    assert boxes == {'a.jpg': CAT} and report.dropped[SECOND] == 1


@pytest.mark.parametrize('size', [None, (0, 0), ('', '')])
def test_size_from_the_image(tree, size):
    folder = tree({'a.xml': xml(size=size), 'a.jpg': None})
    split, = voc.FORMAT.splits(folder)
    content, report = split.read()
    assert (content['images'][0]['width'], content['images'][0]['height']) == (100, 50)
    assert len(report.changed) == 1


def test_boxes(tree):
    folder = tree({'a.jpg': None, 'a.xml': xml(
        'a.jpg', obj('hot dog', (1.0, '2.5', 10, 10.5)), obj(difficult=1), obj('', (5, 5, 9, 9)),
        obj('cat', ('', 1, 2, 3)), '<object><name>cat</name></object>',
        '<object><bndbox><xmin>1</xmin></bndbox></object>', obj('\u732b'))})
    split, = voc.FORMAT.splits(folder)
    content, report = split.read()
    assert [row['name'] for row in content['categories']] == ['cat', 'hot dog', '\u732b']
    assert [(row['category_id'], row['bbox'], row['iscrowd'])
            for row in content['annotations']] == [
        (2, [0, 1.5, 10, 9], 0), (1, CAT[0][1], 1), (3, CAT[0][1], 0)]
    assert report.dropped == {'box of a category that is not listed': 1,
                              'box that is not four finite numbers': 3}


def test_edges_counted_from_zero(tree, read):
    folder = tree({'train/a.jpg': None, 'train/a.xml': xml(), 'val/b.jpg': None,
                   'val/b.xml': xml('b.jpg', obj(box=(0, 5, 100, 50)))})
    splits = read(voc, folder)
    # one rule for all splits
    assert splits['train'][0] == {'train/a.jpg': [('cat', [11, 6, 19, 34])]}
    assert splits['val'][0] == {'val/b.jpg': [('cat', [0, 5, 100, 45])]}
    assert all(report.changed == {voc.FROM_ZERO: 1} for _, report in splits.values())


def test_broken_files_cost_one_image_each(tree, read):
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    folder = tree({**{f'{name}.jpg': None for name in 'abcdefg'},
                   'a.xml': xml(), 'b.xml': '<annotation>', 'c.xml': '',
                   'd.xml': xml('d.jpg', obj('&b;'), head=bomb),
                   'e.xml': xml('e.jpg', head=bomb).encode('utf-16'),
                   'f.xml': xml('f.jpg', head='<!DOCTYPE annotation>'), 'g.xml': '<html></html>'})
    boxes, report = read(voc, folder)['']
    assert boxes == {'a.jpg': CAT, 'f.jpg': CAT}
    assert report.dropped == {BAD_XML: 4, voc.OTHER_XML: 1}
    assert 'line 1' in report.examples[BAD_XML]


@pytest.mark.parametrize('encoding, head, counted', [
    ('utf-8-sig', '', False), ('utf-16', '<?xml version="1.0" encoding="utf-16"?>', False),
    ('cp1252', '', True), ('cp1252', '<?xml version="1.0" encoding="UTF-8"?>', True),
    ('cp1252', '<?xml version="1.0" encoding="windows-1252"?>', False),
    ('gb18030', '<?xml version="1.0" encoding="gb18030"?>', False)])
def test_encodings(tree, read, encoding, head, counted):
    folder = tree({'a.jpg': None, 'a.xml': xml('a.jpg', obj('Käse'), head=head).encode(encoding)})
    boxes, report = read(voc, folder)['']
    assert boxes == {'a.jpg': [('Käse', CAT[0][1])]}
    assert report.changed == ({OTHER_ENCODING: 1} if counted else {})


def test_no_image_at_all(tree):
    split, = voc.FORMAT.splits(tree({'a.xml': xml()}))
    with pytest.raises(ValueError, match=f'(?s)no image that can be used.*1 x {NOT_FOUND}'):
        split.read()


@pytest.mark.parametrize('content', [
    xml().replace('<annotation>', '<annotation verified="yes">'),
    xml(head='<?xml version="1.0" encoding="utf-16"?>').encode('utf-16')])
def test_files_of_labelimg_and_in_utf16_are_recognised(tree, read, content):
    folder = tree({'a.xml': content, 'a.jpg': None})
    assert voc.FORMAT.sniff(folder).confidence == 0.9
    assert read(voc, folder)[''][0] == {'a.jpg': CAT}
