"""Parquet of the Hugging Face Hub: both layouts of objects, both forms of boxes, images inside."""

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from glip_mm.datasets.formats import open_folder, recognise
from glip_mm.datasets.formats.records import records_of, unpacked

CLASS = dict(names=['cat', 'dog'], _type='ClassLabel')


def encoded():
    data = io.BytesIO()
    Image.new('RGB', (40, 20)).save(data, format='PNG')
    return data.getvalue()


def write(path, rows, objects=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows)
    if objects is not None:
        table = table.replace_schema_metadata({'huggingface': json.dumps(
            dict(info=dict(features=dict(objects=objects))))})
    pq.write_table(table, path)


def row(boxes, categories, path='x/a.png'):
    return dict(image=dict(bytes=encoded(), path=path),
                objects=dict(bbox=boxes, category=categories))


def test_lists_side_by_side(tmp_path):
    features = dict(bbox=dict(feature=dict(dtype='float32'), length=4, _type='Sequence'),
                    category=dict(feature=CLASS, _type='Sequence'))
    for i in range(2):
        write(tmp_path / f'data/train-0000{i}-of-00002.parquet', [
            row([[1, 2, 9, 8], [35, 1, 5, 5]], [1, 0]), row([], [])], features)
    write(tmp_path / 'data/validation-00000-of-00001.parquet', [row([[1., 2., 9., 8.]], [9])],
          features)
    opened = open_folder(tmp_path)
    assert (opened.format.name, sorted(opened.splits)) == ('parquet', ['train', 'val'])
    content = opened.content('train')
    assert [i['file_name'] for i in content['images']] == [f'train_{i:08d}.png' for i in range(4)]
    assert [(a['image_id'], a['bbox'], a['category_id']) for a in content['annotations']] == [
        (0, [1, 2, 9, 8], 2), (0, [35, 1, 5, 5], 1), (2, [1, 2, 9, 8], 2), (2, [35, 1, 5, 5], 1)]
    assert opened.classes('train') == ('cat', 'dog')
    files = unpacked(opened.splits['train'], tmp_path / 'out')
    assert all(Image.open(files.images / r['filename']).size == (r['width'], r['height'])
               for r in records_of(files))
    assert opened.image_folder('train', tmp_path) == tmp_path / 'train_images'
    unpacked(opened.splits['val'], tmp_path / 'out')
    assert len(list((tmp_path / 'out').iterdir())) == 5  # splits may share a folder
    with pytest.raises(ValueError, match='1 x box of a category that is not listed'):
        opened.content('val')


def test_list_of_objects_with_corners(tmp_path):
    write(tmp_path / 'train.parquet', [dict(
        image=encoded(), width=40, height=20,
        objects=[dict(bbox=[20, 2, 30, 12], category='dog', iscrowd=True),
                 dict(bbox=[1, 2, 9, 8], category='cat', iscrowd=False)])])
    opened = open_folder(tmp_path)
    assert [(a['bbox'], a['category_id'], a['iscrowd'])
            for a in opened.content('train')['annotations']] == [
        ([20, 2, 10, 10], 2, 1), ([1, 2, 8, 6], 1, 0)]
    assert opened.report('train').changed == {
        'box of two corners, as it is no x, y, width, height': 2}


def test_annotations_alone(tmp_path):
    (tmp_path / 'train').mkdir()
    Image.new('RGB', (40, 20)).save(tmp_path / 'train/a.png')
    write(tmp_path / 'train.parquet', [dict(file_name='a.png', objects=[
        dict(bbox=[1, 2, 9, 8], category='dog')])])
    files = open_folder(tmp_path).splits['train']
    assert files.unpack is None and files.images == tmp_path / 'train'
    image, = files.read()[0]['images']
    assert (image['file_name'], image['width'], image['height']) == ('a.png', 40, 20)


def test_other_files(tmp_path):
    write(tmp_path / 'train.parquet', [row([[1, 2, 9, 8]], [1])])
    with pytest.raises(ValueError, match="'category' of 'objects' are numbers, and the file's"):
        open_folder(tmp_path).content('train')
    write(tmp_path / 'train.parquet', [dict(url='x', caption='a dog')])  # of img2dataset
    assert recognise(tmp_path) is None
    write(tmp_path / 'train.parquet', [dict(row([[1, 2, 9, 8]], ['dog']), more=i)
                                       for i in range(9)])
    content = bytearray((tmp_path / 'train.parquet').read_bytes())
    content[4:400] = bytes(396)
    (tmp_path / 'train.parquet').write_bytes(content)
    with pytest.raises(ValueError, match="train.parquet' cannot be read behind row 0"):
        open_folder(tmp_path)
    (tmp_path / 'train.parquet').write_bytes(b'PAR1')
    assert recognise(tmp_path) is None
