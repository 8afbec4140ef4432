"""What is no COCO-format file is refused, with the row and what to do."""

import json

import pytest

from glip_mm.datasets.coco_file import read_coco
from glip_mm.datasets.data_error import DataError
from glip_mm.datasets.unknown_format import other_format


def write(folder, **changes):
    content = dict(
        images=[dict(id=i, file_name=f'{i}.jpg', width=40, height=30) for i in range(3)],
        annotations=[dict(id=i, image_id=i, category_id=1, bbox=[1, 2, 10, 20]) for i in range(3)],
        categories=[dict(id=1, name='cat'), dict(id=7, name='dog')])
    for key, (index, change) in changes.items():
        if index is None:
            content[key] = change
        else:
            content[key][index].update(change)
    path = folder / 'a.json'
    path.write_text(json.dumps(content))
    return str(path)


def test_good_files_with_gaps_and_extra_keys(tmp_path):
    content = read_coco(write(tmp_path, images=(1, dict(license=3))))
    assert [c['id'] for c in content['categories']] == [1, 7]
    (tmp_path / 'b.json').write_bytes(b'\xef\xbb\xbf' + (tmp_path / 'a.json').read_bytes())
    assert read_coco(str(tmp_path / 'b.json')) == content


@pytest.mark.parametrize('changes, message', [
    (dict(images=(None, [])), "no 'images': it must be a COCO-format file"),
    (dict(annotations=(None, {'0': {}})), "'annotations' is a dict and not a list"),
    (dict(categories=(0, dict(id='1'))), "1 of 2 rows are no complete category, .*'id': '1'"),
    (dict(categories=(0, dict(name=None))), "a whole number 'id' and a text 'name'"),
    (dict(categories=(None, ['cat'])), 'the first: cat; each needs'),
    (dict(categories=(1, dict(id=1))), r"several categories of the same id.*\['cat', 'dog'\]"),
    (dict(images=(2, dict(id=1))), r"several images of the same id.*\['1.jpg', '2.jpg'\]"),
    (dict(images=(2, dict(id='2'))), 'ids of images are numbers and texts'),
    (dict(images=(2, dict(width='40'))), "no complete image, .*'2.jpg'.*'width' and 'height'"),
    (dict(images=(2, dict(height=0))), 'no complete image'),
    (dict(images=(2, dict(file_name=''))), "no complete image, .*each needs 'id', 'file_name'"),
    (dict(annotations=(1, dict(bbox=['1', '2', '3', '4']))), 'no complete annotation'),
    (dict(annotations=(1, dict(bbox=None))), r"'id': 1, .*'bbox' \[x, y, width, height\]"),
    (dict(annotations=(1, dict(bbox=[1, 2, 3]))), 'outlines alone are not enough')])
def test_rows_that_cannot_be_read(tmp_path, changes, message):
    path = write(tmp_path, **changes)
    with pytest.raises(DataError, match=message) as error:
        read_coco(path)
    assert path in str(error.value)


@pytest.mark.parametrize('files, said', [
    (('images/a.jpg', 'labels/a.txt', 'data.yaml'), 'it looks like YOLO'),
    (('JPEGImages/a.jpg', 'Annotations/a.xml'), 'it looks like PASCAL VOC'),
    (('a.jpg', 'train.csv'), 'its .csv files are not read'),
    (('a.jpg', 'labels.json'), "labels.json' is there: if it is a COCO-format file"),
    (('a.jpg', 'readme.txt'), 'holds no annotations at all'), ((), 'it is empty')])
def test_what_a_folder_holds_instead(tmp_path, files, said):
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b'x')
    assert said in other_format(tmp_path)
