"""OpenImages CSV: fractions become pixels, groups are ignored, sizes are asked once."""

import gzip

import pytest
from PIL import Image

from glip_mm.datasets.converters import ImageSizes, openimages_records

HEADER = ('ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,'
          'IsGroupOf,IsDepiction,IsInside')


def box(image_id, label, corners, group=0):
    return f'{image_id},xclick,{label},1,{corners},0,0,{group},0,0'


@pytest.fixture
def files(tmp_path):
    (tmp_path / 'box.csv').write_text('\n'.join([
        HEADER, box('aa', '/m/1', '0,0.5,0.25,1'), box('aa', '/m/2', '0.1,0.9,0.1,0.9', 1),
        box('aa', '/m/9', '0,1,0,1'), box('aa', '/m/1', '0,,0,1'),
        box('bb', '/m/1', '0.5,0.505,0,1'), box('cc', '/m/1', '0,1,0,1')]) + '\n')
    (tmp_path / 'class.csv').write_text('LabelName,DisplayName\n/m/2,"Bat, animal"\n/m/1,Cat\n')
    for name in ('aa', 'bb'):
        Image.new('RGB', (200, 100)).save(tmp_path / f'{name}.jpg')
    return tmp_path


def test_records(files):
    records = openimages_records(files / 'box.csv', files / 'class.csv', ImageSizes(files))
    a, b = records
    assert records.label_map == {0: 'Bat, animal', 1: 'Cat'}
    assert a == dict(filename='aa.jpg', height=100, width=200, detection=dict(instances=[
        dict(bbox=[0, 25, 100, 100], label=1, category='Cat'),
        dict(bbox=[20, 10, 180, 90], label=0, category='Bat, animal', ignore=1)]))
    assert b['detection']['instances'] == []
    assert records.report.dropped == {
        'box of a class that is not listed': 1, 'box that is not four finite numbers': 1,
        'box one pixel thin or less': 1, 'image that is missing or broken': 1,
        'box of a row that is left out': 1}


def test_sizes_are_kept(files):
    cache = files / 'sizes.csv'
    sizes = ImageSizes(files, cache)
    assert sizes('aa.jpg') == (200, 100) and sizes('cc.jpg') is None
    sizes.close()
    with open(cache, 'a') as file:
        file.write('bb.jpg,200,1')  # stopped in the middle of a line
    (files / 'aa.jpg').unlink()
    again = ImageSizes(files, cache)
    assert again('aa.jpg') == again('bb.jpg') == (200, 100)
    again.close()
    assert set(ImageSizes(files, cache).known) == {'aa.jpg', 'bb.jpg'}


def test_boxes_in_any_order(files):
    with open(files / 'box.csv', 'a') as file:
        file.write(box('aa', '/m/1', '0,1,0,1') + '\n')
    records = openimages_records(files / 'box.csv', files / 'class.csv', ImageSizes(files))
    assert [len(row['detection']['instances']) for row in records] == [3, 0]
    assert records.report.rows_read == 3


def test_files_as_people_have_them(files):
    Image.new('RGB', (10, 10)).save(files / 'dd.png')
    text = 'XMin,XMax,YMin,YMax,ImageID,LabelName\r\n0,1,0,.5,dd,/m/1\r\n.5,1,0,1,bb.jpg,/m/2\r\n'
    with gzip.open(files / 'other.csv.gz', 'wb') as file:
        file.write(b'\xef\xbb\xbf' + text.encode())
    one, two = openimages_records(files / 'other.csv.gz', files / 'class.csv', ImageSizes(files))
    assert (one['filename'], two['filename']) == ('dd.png', 'bb.jpg')
    assert one['detection']['instances'] == [dict(bbox=[0, 0, 10, 5], label=1, category='Cat')]
    assert two['detection']['instances'][0]['bbox'] == [100, 0, 200, 100]


def test_sizes_are_those_of_turned_images(files):
    exif = Image.Exif()
    exif[0x112] = 6
    Image.new('RGB', (200, 100)).save(files / 'aa.jpg', exif=exif)
    record = next(iter(openimages_records(files / 'box.csv', files / 'class.csv',
                                          ImageSizes(files))))
    assert (record['width'], record['height']) == (100, 200)
    assert record['detection']['instances'][0]['bbox'] == [0, 50, 50, 200]


def test_broken_files_are_named(files):
    for name, content, words in (
            ('latin.csv', '/m/1,Caf\xe9\n'.encode('latin-1'), "latin.csv' line 1 is not UTF-8"),
            ('cut.csv.gz', gzip.compress(b'/m/1,Cat\n')[:-9], 'cut.csv.gz.* broken gzip')):
        (files / name).write_bytes(content)
        with pytest.raises(ValueError, match=words):
            openimages_records(files / 'box.csv', files / name, ImageSizes(files))
    with pytest.raises(FileNotFoundError, match='other.csv.* is missing: check the folder'):
        openimages_records(files / 'other.csv', files / 'class.csv', ImageSizes(files))


def test_wrong_files(files):
    with pytest.raises(ValueError, match='no column'):
        openimages_records(files / 'class.csv', files / 'class.csv', ImageSizes(files))
    with pytest.raises(ValueError, match='line 1'):
        openimages_records(files / 'box.csv', files / 'box.csv', ImageSizes(files))
