"""Objects365 as published: paths of the archives, corrected names, missing images."""

import json
from pathlib import Path

import pytest

from glip_mm.datasets import GroundingDataset
from glip_mm.datasets.formats import open_folder
from glip_mm.datasets.formats.records import records_of


def write(folder, name, images, category='Moniter/TV'):
    (folder / 'annotations').mkdir(exist_ok=True, parents=True)
    (folder / 'annotations' / name).write_text(json.dumps(dict(
        images=[dict(id=i, file_name=image, width=50, height=40) for i, image in images.items()],
        annotations=[dict(id=i, image_id=i, category_id=5, bbox=[1, 1, 9, 9], area=81, iscrowd=0)
                     for i in images],
        categories=[dict(id=5, name=category), dict(id=9, name='Dog')])))


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_version_2(tmp_path):
    write(tmp_path, 'zhiyuan_objv2_train.json', {
        420917: 'images/v1/patch8/objects365_v1_00420917.jpg',
        908726: 'images/v2/patch16/objects365_v2_00908726.jpg',
        908727: 'images/v2/patch16/objects365_v2_00908727.jpg'})
    # of val, ids are not the numbers in the names
    write(tmp_path, 'zhiyuan_objv2_val.json', {
        908726: 'images/v1/patch0/objects365_v1_00000016.jpg'})
    touch(tmp_path, 'train/patch8/objects365_v1_00420917.jpg', 'val/patch0/x',
          'train/patch16/objects365_v2_00908727.jpg', 'val/patch0/objects365_v1_00000016.jpg')
    opened = open_folder(tmp_path)
    assert (opened.format.name, list(opened.splits)) == ('objects365', ['train', 'val'])
    assert opened.classes('train') == ('Monitor/TV', 'Dog')
    for split, count in (('train', 2), ('val', 1)):
        files = opened.splits[split]
        images, records = opened.content(split)['images'], list(records_of(files))
        assert len(images) == len(records) == count
        assert [i['file_name'] for i in images] == [r['filename'] for r in records]
        assert all((files.images / i['file_name']).is_file() for i in images)
        assert records[0]['detection']['instances'][0]['category'] == 'Monitor/TV'
    assert opened.report('train').dropped == {'image known to be missing or unreadable': 1,
                                              'box of a row that is left out': 1}


def test_training_reads_it_in_place(tmp_path):
    write(tmp_path, 'zhiyuan_objv2_train.json', {
        420917: 'images/v1/patch8/objects365_v1_00420917.jpg'}, category='Bakset')
    touch(tmp_path, 'train/patch8/objects365_v1_00420917.jpg')
    data = GroundingDataset('annotations/zhiyuan_objv2_train.json', str(tmp_path),
                            dict(img='train'), format='coco')
    info = data.get_data_info(0)
    assert Path(info['img_path']).is_file()
    assert info['text'] == {0: 'Basket', 1: 'Dog'}


@pytest.mark.parametrize('place', [
    'images/v1/patch8', 'train/images/v1/patch8', 'images/train/patch8'])
def test_places_of_images(tmp_path, place):
    name = 'images/v1/patch8/objects365_v1_00420917.jpg'
    write(tmp_path, 'zhiyuan_objv2_train.json', {420917: name})
    touch(tmp_path, f'{place}/objects365_v1_00420917.jpg')
    files = open_folder(tmp_path / 'annotations/zhiyuan_objv2_train.json').splits['train']
    image, = files.read()[0]['images']
    record, = records_of(files)
    assert image['file_name'] == record['filename']
    assert (files.images / image['file_name']).is_file()


def test_version_1(tmp_path):
    write(tmp_path, 'objects365_train.json', {
        i: f'obj365_train_{i:012d}.jpg' for i in (5, 6)}, category='monitor')
    touch(tmp_path, 'train/obj365_train_000000000005.jpg')
    opened = open_folder(tmp_path)
    assert 'obj365_train_000000000005.jpg' in opened.reason
    assert [i['id'] for i in opened.content('train')['images']] == [5]
    assert opened.splits['train'].images == tmp_path / 'train'
