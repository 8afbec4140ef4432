"""CVAT XML: shapes, subsets, tracks and frames."""

import pytest

from glip_mm.datasets.coco_file import REPEATED
from glip_mm.datasets.formats import cvat
from glip_mm.datasets.formats.image_annotations import NOT_FOUND, OUTLINE, ROTATED

META = ('<meta><task><labels><label><name>dog</name></label><label><name>cat</name></label>'
        '<label><name>nose</name><parent>cat</parent></label></labels>{}</task></meta>')
CAT = '<box label="cat" xtl="10" ytl="5" xbr="30" ybr="40"/>'
BOX = [10, 5, 20, 35]


def xml(*parts, more=''):
    return (f'<?xml version="1.0"?><annotations><version>1.1</version>{META.format(more)}'
            f'{"".join(parts)}</annotations>')


def image(name='a.jpg', *shapes, subset='', size='width="100" height="50"'):
    subset = f'subset="{subset}"' if subset else ''
    return f'<image id="0" name="{name}" {size} {subset}>{"".join(shapes or [CAT])}</image>'


@pytest.mark.parametrize('shape, box, cause', [
    (CAT, BOX, ''),
    ('<polygon label="cat" points="10,5;30.0,5;30,40"/>', BOX, OUTLINE),
    ('<polyline label="cat" points="10,5;30,40"/>', BOX, OUTLINE),
    ('<points label="cat" points="10,5;30,40"/>', BOX, OUTLINE),
    ('<points label="cat" points="10,5"/>', None, OUTLINE),
    ('<ellipse label="cat" cx="20" cy="22.5" rx="10" ry="17.5"/>', BOX, OUTLINE),
    ('<mask label="cat" rle="1,2" left="10" top="5" width="20" height="35"/>', BOX, OUTLINE),
    ('<skeleton label="cat"><points label="1" points="10,5" outside="0"/><points label="2" '
     'points="30,40" outside="0"/><points label="3" points="0,0" outside="1"/></skeleton>', BOX,
     OUTLINE),
    ('<box label="cat" xtl="2.5" ytl="12.5" xbr="37.5" ybr="32.5" rotation="90.0"/>', BOX, ROTATED),
    ('<box label="cat" xtl="2.5" ytl="12.5" xbr="37.5" rotation="90.0"/>', None, ''),
    ('<polygon label="cat" points="10,5;x"/>', None, '')])
def test_shapes(tree, read, shape, box, cause):
    folder = tree({'annotations.xml': xml(image('a.jpg', shape, CAT)), 'images/a.jpg': None})
    assert cvat.FORMAT.sniff(folder).confidence == 1
    boxes, report = read(cvat, folder)['']
    assert boxes == {'images/a.jpg': [('cat', found) for found in (box, BOX) if found]}
    assert report.changed == ({cause: 1} if cause else {}) | ({REPEATED: 1} if box else {})
    assert sum(report.dropped.values()) == (box is None)


def test_labels_without_boxes_are_classes(tree):
    folder = tree({'x.xml': xml(image('a.jpg', CAT, CAT.replace('cat', 'extra'),
                                      '<tag label="cat"/>')), 'a.jpg': None})
    for path in (folder, folder / 'x.xml'):
        split, = cvat.FORMAT.splits(path)
        content, report = split.read()
        assert [row['name'] for row in content['categories']] == ['dog', 'cat', 'extra']
        assert report.dropped == {cvat.TAG: 1}


def test_subsets(tree, read):
    folder = tree({'annotations.xml': xml(image(subset='Train'), image(subset='Validation'),
                                          image('b.jpg', subset='mine'), image('c.jpg')),
                   'images/Train/a.jpg': None, 'images/Validation/a.jpg': None,
                   'images/mine/b.jpg': None, 'images/c.jpg': None})
    assert {name: list(boxes) for name, (boxes, _) in read(cvat, folder).items()} == dict(
        train=['images/Train/a.jpg'], val=['images/Validation/a.jpg'],
        mine=['images/mine/b.jpg'], other=['images/c.jpg'])


def test_files_of_splits(tree, read):
    folder = tree({'train.xml': xml(image()), 'val/annotations.xml': xml(image('b.jpg')),
                   'images/a.jpg': None, 'val/images/b.jpg': None, 'images/b.jpg': None})
    assert {name: boxes for name, (boxes, _) in read(cvat, folder).items()} == dict(
        train={'images/a.jpg': [('cat', BOX)]}, val={'val/images/b.jpg': [('cat', BOX)]})


def test_images_that_are_missing_or_have_no_size(tree, read):
    folder = tree({'annotations.xml': xml(image(size=''), image('b.jpg'), image('../../x/a.jpg')),
                   'a.jpg': None})
    boxes, report = read(cvat, folder)['']
    assert boxes == {'a.jpg': [('cat', BOX)]}
    assert report.dropped[NOT_FOUND] == 2


def test_tracks(tree, read):
    frame = '<box frame="{}" outside="{}" xtl="10" ytl="5" xbr="30" ybr="40"/>'
    track = '<track id="1" label="cat">{}</track>'
    folder = tree({'annotations.xml': xml(
        track.format(frame.format(0, 0) + frame.format(1, 1)),
        track.format(frame.format(0, 0).replace('10', '12')),
        more='<original_size><width>100</width><height>50</height></original_size>'),
        **{f'images/frame_{i:06d}.jpg': None for i in range(3)}, 'images/other.jpg': None})
    boxes, report = read(cvat, folder)['']
    assert boxes == {
        'images/frame_000000.jpg': [('cat', BOX), ('cat', [12, 5, 18, 35])],
        # the object has left; no track at all
        'images/frame_000001.jpg': [], 'images/frame_000002.jpg': []}
    assert report.dropped == {cvat.OUTSIDE: 1}


def test_video_without_its_frames(tree):
    folder = tree({'annotations.xml': xml('<track id="0" label="cat"><box frame="3" xtl="1" '
                                          'ytl="1" xbr="9" ybr="9"/></track>')})
    split, = cvat.FORMAT.splits(folder)
    with pytest.raises(ValueError, match=f'(?s)1 x {NOT_FOUND}.*frame 3'):
        split.read()


def test_broken_file(tree):
    folder = tree({'annotations.xml': xml(image())[:-20]})
    with pytest.raises(ValueError, match='annotations.xml.*line 1'):
        cvat.FORMAT.splits(folder)
    assert cvat.FORMAT.sniff(tree({'a.xml': '<annotation></annotation>'}, 'voc')) is None
