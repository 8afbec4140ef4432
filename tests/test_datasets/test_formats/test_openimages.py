"""OpenImages: the layouts of versions 5 and 6, and of FiftyOne."""

import pytest
from PIL import Image

from glip_mm.datasets.formats import open_folder, recognise
from glip_mm.datasets.formats.records import records_of

HEADER = ('ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,'
          'IsGroupOf,IsDepiction,IsInside\n')


@pytest.fixture
def folder(tmp_path):
    """Files named as in version 6, rows as Datumaro's tests have them, images 40 x 20."""
    (tmp_path / 'annotations').mkdir()
    (tmp_path / 'annotations/oidv6-class-descriptions.csv').write_text(
        '\ufeffLabelName,DisplayName\r\n/m/0,Cat\r\n/m/3,"Bat, animal"\r\n', encoding='utf-8')
    (tmp_path / 'annotations/oidv6-train-annotations-bbox.csv').write_text(
        HEADER + 'b,xclick,/m/0,1,0.25,1,0.5,0.75,-1,-1,-1,-1,-1\n'
        'a,xclick,/m/3,1,0,.5,0,1,0,0,1,0,0\nb,xclick,/m/3,1,0,.5,0,1,0,0,0,0,0\n'
        'gone,xclick,/m/0,1,0,.5,0,1,0,0,0,0,0\nb,xclick,/m/9,1,0,.5,0,1,0,0,0,0,0\n')
    (tmp_path / 'annotations/validation-annotations-bbox.csv').write_text(
        HEADER + 'c,xclick,/m/3,0.7,0.5,1,0,0.5,1,0,1,0,0\n')
    for name in ('train/a.jpg', 'train/b.png', 'validation/c.jpg'):
        path = tmp_path / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (40, 20)).save(path)
    return tmp_path


def test_boxes_of_any_order(folder):
    opened = open_folder(folder)
    assert (opened.format.name, list(opened.splits)) == ('openimages', ['train', 'val'])
    assert opened.reason == ("boxes in 'oidv6-train-annotations-bbox.csv', class names in "
                             "'oidv6-class-descriptions.csv'")
    assert opened.splits['train'].images == folder / 'images/train'
    content, report = opened.content('train'), opened.report('train')
    assert [(i['file_name'], i['width'], i['height']) for i in content['images']] == [
        ('b.png', 40, 20), ('a.jpg', 40, 20)]
    assert [(a['image_id'], a['bbox'], a['category_id'], a['iscrowd'])
            for a in content['annotations']] == [
        ('b.png', [10, 10, 30, 5], 1, 0), ('b.png', [0, 0, 20, 20], 2, 0),
        ('a.jpg', [0, 0, 20, 20], 2, 1)]
    assert opened.classes('train') == opened.classes('val') == ('Cat', 'Bat, animal')
    assert report.dropped == {'image that is missing or broken': 1,
                              'box of a row that is left out': 1,
                              'box of a category that is not listed': 1}
    assert (report.rows_read, report.boxes_read, report.boxes_written) == (3, 5, 3)
    records = records_of(opened.splits['train'])
    assert [r['detection']['instances'] for r in records] == [
        [dict(bbox=[10, 10, 40, 15], label=0, category='Cat'),
         dict(bbox=[0, 0, 20, 20], label=1, category='Bat, animal')],
        [dict(bbox=[0, 0, 20, 20], label=1, category='Bat, animal', ignore=1)]]


def test_other_places(folder):
    for given in ('annotations', 'annotations/oidv6-train-annotations-bbox.csv'):
        opened = open_folder(folder / given)
        assert len(opened.content('train')['images']) == 2, given
    fiftyone = folder / 'fiftyone'
    for part in ('data', 'labels', 'metadata'):
        (fiftyone / 'validation' / part).mkdir(parents=True)
    old = folder / 'annotations'
    (old / 'validation-annotations-bbox.csv').rename(fiftyone / 'validation/labels/detections.csv')
    (old / 'oidv6-class-descriptions.csv').rename(fiftyone / 'validation/metadata/classes.csv')
    (folder / 'images/validation/c.jpg').rename(fiftyone / 'validation/data/c.jpg')
    opened = open_folder(fiftyone)
    assert opened.splits['val'].images == fiftyone / 'validation/data'
    assert len(opened.content('val')['annotations']) == 1


def test_what_is_missing_is_said(folder):
    (folder / 'images/validation/c.jpg').unlink()
    with pytest.raises(ValueError, match="none of its images is in '.*validation', such as valid"):
        open_folder(folder).content('val')
    for path in (folder / 'annotations').glob('*-bbox.csv'):
        path.unlink()
    assert recognise(folder) is None
    (folder / 'annotations/train-images-with-labels-with-rotation.csv').write_text('ImageID\n')
    with pytest.raises(ValueError, match='labels of whole images, but no file of boxes: fetch'):
        open_folder(folder)


def test_another_data_set_in_the_folder_is_named(folder):
    assert 'not read' not in open_folder(folder).reason
    (folder / 'annotations/instances_train.json').write_text(
        '{"images": [], "annotations": [], "categories": [{"id": 1, "name": "cat"}]}')
    opened = open_folder(folder)
    assert opened.format.name == 'openimages'
    assert "not read are COCO JSON" in opened.reason and 'instances_train.json' in opened.reason
