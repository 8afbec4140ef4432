"""COCO folders as tools write them: recognised, with the right splits, images and boxes."""

import gzip
import json

import pytest
from PIL import Image

from glip_mm.datasets import GroundingDataset
from glip_mm.datasets.coco_file import SIZE_READ, read_coco
from glip_mm.datasets.data_error import DataError
from glip_mm.datasets.formats import open_folder, records_of


def content(names=('a.jpg', 'b.jpg'), categories=((1, 'cat'), (2, 'dog')), category=1, **row):
    return dict(
        images=[dict(id=i, file_name=name, width=80, height=60) for i, name in enumerate(names)],
        annotations=[dict(id=i, image_id=i, category_id=category, bbox=[5, 5, 30, 20])
                     for i, _ in enumerate(names)],
        categories=[dict(id=i, name=n, **row) for i, n in categories])


def write(ann_file, images, rows=None, names=('a.jpg', 'b.jpg')):
    for name in names:
        path = images / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (80, 60), 'gray').save(path)
    ann_file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(rows or content()).encode()
    ann_file.write_bytes(gzip.compress(text) if ann_file.suffix == '.gz' else text)


@pytest.mark.parametrize('layout, splits', [
    ([('train/_annotations.coco.json', 'train'), ('valid/_annotations.coco.json', 'valid')],
     ['train', 'val']),
    ([('annotations/instances_Train.json', 'images/Train'),
      ('annotations/instances_Validation.json', 'images/Validation')], ['train', 'val']),
    ([('annotations/instances_default.json', 'images/default')], ['']),
    ([('annotations/instances_default.json', 'images')], ['']),
    ([('annotations/annotations.json', 'images')], ['']), ([('result.json', 'images')], ['']),
    ([('labels.json', 'data')], ['']), ([('train/labels.json', 'train/data')], ['train']),
    ([('trainval.json', 'images'), ('test.json', 'images')], ['train', 'test']),
    ([('my_boxes.json', 'pictures/2024')], ['']), ([('ann/my_train.json', 'raw')], ['train']),
    ([('annotations/person_val.json.gz', 'val')], ['val']),
    ([('annotations/instances_train2017.json', 'train2017'),
      ('annotations/instances_val2017.json', 'val2017')], ['train', 'val'])])
def test_layouts(tmp_path, layout, splits):
    for ann_file, images in layout:
        write(tmp_path / ann_file, tmp_path / images)
        (tmp_path / ann_file).with_name('captions_train.json').write_text('{"images": []}')
    opened = open_folder(tmp_path)
    assert opened.format.name == 'coco' and list(opened.splits) == splits
    for (ann_file, images), split in zip(layout, splits):
        assert opened.splits[split].images == tmp_path / images
        assert opened.coco_file(split, tmp_path / 'out') == tmp_path / ann_file
        assert len(opened.content(split)['annotations']) == 2
    # the annotation file itself, given in place of the folder
    ann_file, images = layout[0]
    single = open_folder(tmp_path / ann_file)
    assert list(single.splits) == [''] and single.splits[''].images == tmp_path / images


@pytest.mark.parametrize('written', ['/content/data/{}', '../upload/7/{}', 'C:\\data\\{}'])
def test_names_from_another_machine_are_found_by_their_last_part(tmp_path, written):
    rows = content([written.format(n) for n in ('a.jpg', 'b.jpg')])
    write(tmp_path / 'result.json', tmp_path / 'images', rows)
    opened = open_folder(tmp_path)
    file = opened.coco_file('', tmp_path / 'out')
    assert file.parent == tmp_path / 'out'
    names = [i['file_name'] for i in json.loads(file.read_text())['images']]
    assert names == ['a.jpg', 'b.jpg'] and opened.splits[''].images == tmp_path / 'images'


def test_a_category_of_no_class_is_decided_over_all_splits(tmp_path):
    categories = ((0, 'pets'), (1, 'cat'), (2, 'dog'))
    rows = content(categories=categories, supercategory='pets')
    for split in ('train', 'valid'):
        write(tmp_path / split / '_annotations.coco.json', tmp_path / split, rows)
    opened = open_folder(tmp_path)
    assert opened.classes('train') == opened.classes('val') == ('cat', 'dog')
    write(tmp_path / 'valid/_annotations.coco.json', tmp_path / 'valid',
          content(categories=categories, category=0, supercategory='pets'))
    opened = open_folder(tmp_path)
    assert opened.classes('train') == opened.classes('val') == ('pets', 'cat', 'dog')
    maps = [records_of(split).label_map for split in opened.splits.values()]
    assert maps == 2 * [{0: 'pets', 1: 'cat', 2: 'dog'}]  # a label is one class in all splits


def test_a_split_without_annotations_is_one_without_boxes(tmp_path):
    write(tmp_path / 'train/_annotations.coco.json', tmp_path / 'train')
    rows = content()
    del rows['annotations']
    write(tmp_path / 'test/_annotations.coco.json', tmp_path / 'test', rows)
    opened = open_folder(tmp_path)
    assert list(opened.splits) == ['train', 'test']
    assert len(opened.content('test')['images']) == 2
    assert not opened.content('test')['annotations']


def test_sizes_that_only_the_images_have(tmp_path):
    rows = content()
    del rows['images'][0]['width'], rows['images'][0]['height']
    rows['images'][1].update(width=0, height=None)
    write(tmp_path / 'train.json', tmp_path / 'images', rows)
    opened = open_folder(tmp_path)
    assert [(i['width'], i['height']) for i in opened.content('train')['images']] == 2 * [(80, 60)]
    assert opened.report('train').changed == {SIZE_READ: 2}
    # other readers get a file that has them
    path = opened.coco_file('train', tmp_path / 'out')
    assert [i['width'] for i in read_coco(path)['images']] == [80, 80]
    assert [r['width'] for r in records_of(opened.splits['train'])] == [80, 80]


def test_a_file_that_lists_no_image(tmp_path):
    write(tmp_path / 'train.json', tmp_path / 'images')
    write(tmp_path / 'val.json', tmp_path / 'images', dict(content(), images=[]))
    with pytest.raises(DataError, match="val.json' lists no image with an 'id' and a 'file_name'"):
        open_folder(tmp_path)


def test_what_cannot_be_opened_says_what_is_there(tmp_path):
    (tmp_path / 'notes.txt').write_text('x')
    with pytest.raises(FileNotFoundError, match='(?s)no annotations in a format .*: notes.txt'):
        open_folder(tmp_path)
    with pytest.raises(FileNotFoundError, match='does not exist'):
        open_folder(tmp_path / 'none')
    write(tmp_path / 'x/one.json', tmp_path / 'images')
    write(tmp_path / 'x/two.json', tmp_path / 'images')
    with pytest.raises(DataError, match='several COCO files: x/one.json, x/two.json'):
        open_folder(tmp_path)
    (tmp_path / 'x/two.json').unlink()
    for name in ('a.jpg', 'b.jpg'):
        (tmp_path / 'images' / name).unlink()
    with pytest.raises(FileNotFoundError, match="'a.jpg' is nowhere below"):
        open_folder(tmp_path)
    with pytest.raises(ValueError, match="format 'kitti' is none of"):
        open_folder(tmp_path, 'kitti')


def test_a_split_without_annotations_and_utf_16(tmp_path):
    rows = content()
    del rows['annotations']
    write(tmp_path / 'test.json', tmp_path / 'images', rows)
    write(tmp_path / 'train.json', tmp_path / 'images')
    (tmp_path / 'train.json').write_bytes(json.dumps(content()).encode('utf-16'))
    opened = open_folder(tmp_path)
    assert [len(opened.content(s)['annotations']) for s in ('train', 'test')] == [2, 0]
    dataset = GroundingDataset(ann_file=str(tmp_path), format='folder', split='test')
    assert len(dataset) == 2 and dataset.metainfo['classes'] == ('cat', 'dog')


NULLS = '{"images": null, "annotations": null, "categories": null}'


@pytest.mark.parametrize('name, text', [
    *(('train/_annotations.coco.json', text) for text in ('[]', NULLS, '{', '')),
    *(('train.json', text) for text in (NULLS, '{', ''))])
def test_a_broken_file_of_a_split_is_named(tmp_path, text, name):
    for split in ('train', 'valid'):
        write(tmp_path / split / '_annotations.coco.json', tmp_path / split)
    (tmp_path / 'train/_annotations.coco.json').unlink()
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=f"{name}'"):
        open_folder(tmp_path).content('train')


@pytest.mark.parametrize('written', ['{}.JPG', 'C:\\data\\{}.JPG'])
def test_suffixes_in_another_case(tmp_path, written):
    rows = content([written.format(n) for n in 'ab'])
    write(tmp_path / 'result.json', tmp_path / 'images', rows)
    split = open_folder(tmp_path).splits['']
    assert [i['file_name'] for i in split.read()[0]['images']] == ['a.jpg', 'b.jpg']
    assert split.images == tmp_path / 'images'
