"""COCO-format and LVIS files as evaluation sets."""

import json
from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import DefaultScope

from glip_mm.datasets import ZeroShotDataset
from glip_mm.datasets.bad_sample import BadSample
from glip_mm.registry import DATASETS
from glip_mm.text import Prompt
from glip_mm.visualization import save_image

BOX = dict(id=1, image_id=3, bbox=[1, 2, 10, 20], category_id=7, area=200, iscrowd=0)


def write(folder, categories, annotations=(BOX, ), **image):
    content = dict(
        images=[dict(id=9, file_name='b.jpg', width=40, height=30, **image),
                dict(id=3, file_name='a.jpg', width=40, height=30, **image)],
        categories=[dict(id=i, name=name) for i, name in categories],
        annotations=list(annotations))
    path = folder / 'a.json'
    path.write_text(json.dumps(content))
    return path


def build(path, **settings):
    return ZeroShotDataset(ann_file=str(path), test_mode=True, **settings)


def test_labels_follow_ids_not_the_order_of_the_file(tmp_path):
    dataset = build(write(tmp_path, [(7, 'cat'), (2, 'dog')]))
    assert dataset.metainfo['classes'] == ('dog', 'cat')
    assert dataset.metainfo['category_ids'] == (2, 7)
    first, second = (dataset.get_data_info(i) for i in range(2))
    assert first['img_id'] == 3 and first['instances'][0]['bbox_label'] == 1
    assert first['instances'][0]['bbox'] == [1, 2, 11, 22]
    assert second['instances'] == []  # images without boxes stay
    assert Prompt.from_data_sample(first).caption == 'dog. cat'


def test_a_class_may_be_called_otherwise_than_in_the_file(tmp_path):
    path = write(tmp_path, [(7, 'cat'), (2, 'dog')])
    info = build(path, metainfo=dict(classes=('hound', 'pet')), dataset_name='pets',
                 caption_prompt=[None, dict(suffix=' at home')]).get_data_info(0)
    assert info['text'] == ('hound', 'pet') and info['dataset_name'] == 'pets'
    assert info['instances'][0]['bbox_label'] == 1
    assert Prompt.from_data_sample(info).caption == 'hound. pet at home'


def test_roboflow_background_is_left_out_only_where_that_makes_both_agree(tmp_path):
    path = write(tmp_path, [(0, 'animals'), (7, 'cat')])
    assert build(path, metainfo=dict(classes=('cat', ))).metainfo['category_ids'] == (7, )
    assert build(path).metainfo['category_ids'] == (0, 7)
    path = write(tmp_path, [(0, 'animals'), (7, 'cat')], [BOX, dict(BOX, id=2, category_id=0)])
    with pytest.raises(ValueError, match='2 categories'):
        build(path, metainfo=dict(classes=('cat', )))


def test_disagreement_lists_both_sides(tmp_path):
    path = write(tmp_path, [(7, 'cat'), (2, 'dog')])
    with pytest.raises(ValueError, match=r"(?s)\['dog', 'cat'\].*\['cow'\]"):
        build(path, metainfo=dict(classes=('cow', )))


def test_images_without_boxes_may_be_left_out_of_a_training(tmp_path, monkeypatch):
    said: list = []
    monkeypatch.setattr('glip_mm.datasets.zero_shot_dataset.print_log',
                        lambda text, logger: said.append(text))
    path = write(tmp_path, [(7, 'cat')], [BOX, dict(BOX, id=2, image_id=9, bbox=[3, 3, 1, 20])])
    options = dict(ann_file=str(path), filter_cfg=dict(filter_empty_gt=True))
    dataset = ZeroShotDataset(**options)
    assert len(dataset) == 1 and dataset.get_data_info(0)['img_id'] == 3
    assert len(said) == 1 and '1 of 2 images have no box and are left out' in said[0]
    assert len(ZeroShotDataset(test_mode=True, **options)) == 2
    assert len(ZeroShotDataset(ann_file=str(path))) == 2
    write(tmp_path, [(7, 'cat')], [dict(BOX, bbox=[3, 3, 1, 1])])
    with pytest.raises(ValueError, match='none of its 2 images has a box of more than a pixel'):
        ZeroShotDataset(**options)


def test_lvis_images_are_named_by_their_address(tmp_path):
    path = write(tmp_path, [(7, 'cat')], coco_url='http://x.org/val2017/000000000139.jpg')
    info = build(path, image_names='coco_url', data_prefix=dict(img='/data/coco')).get_data_info(0)
    assert info['img_path'] == '/data/coco/val2017/000000000139.jpg'
    with pytest.raises(ValueError, match='has no coco_url'):
        build(write(tmp_path, [(7, 'cat')]), image_names='coco_url')


def test_what_is_wrong_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match='docs/evaluation.md'):
        build(tmp_path / 'none.json')
    with pytest.raises(ValueError, match='several categories of the same id'):
        build(write(tmp_path, [(7, 'cat'), (7, 'dog')]))
    with pytest.raises(ValueError, match="got 'path'"):
        build(write(tmp_path, [(7, 'cat')]), image_names='path')


def test_it_is_found_by_name(tmp_path):
    path = write(tmp_path, [(7, 'cat')])
    with DefaultScope.overwrite_default_scope('glip_mm'):
        dataset = DATASETS.build(dict(type='ZeroShotDataset', ann_file=str(path),
                                      return_classes=True, test_mode=True))
    assert len(dataset) == 2


def test_an_image_that_cannot_be_read_is_named(tmp_path):
    with DefaultScope.overwrite_default_scope('glip_mm'):
        dataset = build(write(tmp_path, [(7, 'cat')]), data_prefix=dict(img=str(tmp_path)),
                        pipeline=[dict(type='LoadImageFromFile', imdecode_backend='pillow')])
    with pytest.raises(BadSample, match=r"a.json' image 3: missing image: '.*a.jpg'"):
        dataset[0]
    (tmp_path / 'a.jpg').write_bytes(b'no image')
    with pytest.raises(BadSample, match=r"image 3: broken image: '.*a.jpg'.*fetch it again"):
        dataset[0]


def training_set(folder, **options):
    save_image(folder / 'a.jpg', np.zeros((30, 40, 3), np.uint8))
    (folder / 'b.jpg').write_bytes((folder / 'a.jpg').read_bytes()[:-20])
    with DefaultScope.overwrite_default_scope('glip_mm'):
        return ZeroShotDataset(
            ann_file=str(write(folder, [(7, 'cat')])), data_prefix=dict(img=str(folder)),
            pipeline=[dict(type='LoadImage')], **options)


def test_a_broken_image_is_replaced_in_training_and_counted(tmp_path):
    data = training_set(tmp_path)
    assert [Path(data[i]['img_path']).name for i in (0, 1, 1)] == ['a.jpg'] * 3
    assert data.counter.causes == {'broken image': data.counter.read - 3}
    assert data.counter.causes['broken image'] >= 2
    subset = data.get_subset([1])
    assert subset.counter is data.counter
    data.counter.patience = 1
    with pytest.raises(RuntimeError, match='more than max_bad=0.1.*b.jpg'):
        data[1]


@pytest.mark.parametrize('options', [dict(test_mode=True), dict(on_bad='stop')])
def test_tests_stop_at_a_broken_image(options, tmp_path):
    with pytest.raises(BadSample, match="a.json' image 9: broken image: '.*b.jpg'"):
        training_set(tmp_path, **options)[1]


def test_nothing_usable_ends_the_training(tmp_path):
    data = training_set(tmp_path)
    (tmp_path / 'a.jpg').unlink()
    with pytest.raises(RuntimeError, match='100 samples in a row could not be used'):
        data[0]


def test_an_unknown_policy(tmp_path):
    with pytest.raises(ValueError, match="on_bad must be 'replace' or 'stop', got 'skip'"):
        training_set(tmp_path, on_bad='skip')


def test_a_text_is_one_class(tmp_path):
    dataset = build(write(tmp_path, [(7, 'tabby')]), metainfo=dict(classes='cat'))
    assert dataset.metainfo['classes'] == ('cat', )
