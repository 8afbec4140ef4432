"""GroundingDataset opens folders of any format."""

import json

import numpy as np
import pytest
from PIL import Image

from glip_mm.datasets import GroundingDataset
from glip_mm.datasets.data_error import DataError


@pytest.fixture
def yolo(tmp_path):
    """Three training images of 100 x 50, one of them without boxes; no val split."""
    root = tmp_path / 'pets'
    for i, lines in enumerate(('0 .5 .5 .2 .4\n1 .2 .2 .1 .1\n', '', '1 .5 .5 1 1\n')):
        for kind in ('images', 'labels'):
            (root / 'train' / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((50, 100, 3), np.uint8)).save(root / f'train/images/{i}.jpg')
        (root / f'train/labels/{i}.txt').write_text(lines)
    (root / 'data.yaml').write_text('train: train/images\nnames: [cat, dog]\n')
    return root


@pytest.mark.parametrize('name, given', [('folder', ''), ('yolo', ''), ('folder', 'data.yaml')])
def test_a_folder_is_a_data_set(yolo, name, given):
    dataset = GroundingDataset(ann_file=str(yolo / given), format=name)
    assert len(dataset) == 3 and dataset.metainfo['classes'] == ('cat', 'dog')
    infos = sorted((dataset.get_data_info(i) for i in range(3)), key=lambda i: i['img_path'])
    assert [i['img_path'] for i in infos] == [str(yolo / f'train/images/{i}.jpg') for i in range(3)]
    assert infos[0]['instances'][0]['bbox'] == [40, 15, 60, 35]
    assert [[i['bbox_label'] for i in info['instances']] for info in infos] == [[0, 1], [], [1]]
    assert len(GroundingDataset(ann_file=str(yolo / given), format=name,
                                filter_cfg=dict(filter_empty_gt=True))) == 2


def test_changed_labels_are_read_anew(yolo, tmp_path):
    first = GroundingDataset(ann_file=str(yolo), format='folder', index_dir=str(tmp_path / 'i'))
    stored = sorted(p.stat().st_mtime_ns for p in (tmp_path / 'i').iterdir())
    again = GroundingDataset(ann_file=str(yolo), format='folder', index_dir=str(tmp_path / 'i'))
    assert len(first) == len(again) == 3
    assert sorted(p.stat().st_mtime_ns for p in (tmp_path / 'i').iterdir()) == stored
    (yolo / 'train/labels/1.txt').write_text('0 .5 .5 .5 .5\n')
    changed = GroundingDataset(ann_file=str(yolo), format='folder', index_dir=str(tmp_path / 'i'))
    assert sum(len(changed.get_data_info(i)['instances']) for i in range(3)) == 4


def test_two_folders_of_one_name_do_not_replace_each_other(yolo, tmp_path):
    other = tmp_path / 'more/pets'
    other.parent.mkdir()
    (yolo.parent / 'pets').rename(other)
    other.mkdir(exist_ok=True)
    yolo.mkdir()
    rows = dict(images=[dict(id=0, file_name='x.jpg', width=100, height=50)],
                annotations=[dict(image_id=0, category_id=1, bbox=[1, 2, 30, 30])],
                categories=[dict(id=1, name='car')])
    (yolo / 'train.json').write_text(json.dumps(rows))
    Image.new('RGB', (100, 50)).save(yolo / 'x.jpg')
    index = str(tmp_path / 'index')
    sets = [GroundingDataset(ann_file=str(path), format='folder', index_dir=index)
            for path in (yolo, other, yolo)]
    assert [len(s) for s in sets] == [1, 3, 1]
    assert sets[2].get_data_info(0)['img_path'] == str(yolo / 'x.jpg')


def test_what_cannot_be_opened(yolo):
    with pytest.raises(DataError, match="it has no split 'val', only 'train'"):
        GroundingDataset(ann_file=str(yolo), format='folder', split='val')
    with pytest.raises(ValueError, match="format='kitti' is none of folder, odvg, tar, coco"):
        GroundingDataset(ann_file=str(yolo), format='kitti')
    with pytest.raises(FileNotFoundError, match='does not exist'):
        GroundingDataset(ann_file=str(yolo / 'none'), format='folder')
