"""Folders that other tools wrote: each is recognised by its format only, and read as they mean."""

from pathlib import Path

import pytest

from glip_mm.datasets.formats import cvat, label_studio, labelme, voc, yolo
from glip_mm.datasets.formats.opening import CERTAIN

DATA = Path(__file__).parents[2] / 'data' / 'formats'
#: Annotations of yolo_roboflow and voc_roboflow, which are the same data.
ROBOFLOW = dict(train={'train_001.jpg': [('label_0', [2, 1, 3, 1])],
                       'train_002.jpg': [('label_1', [0, 0, 2, 4])]},
                val={'val_001.jpg': [('label_0', [0, 0, 1, 2]), ('label_1', [0, 0, 9, 1])]})


@pytest.mark.parametrize('folder, name', [
    ('yolo_roboflow', 'yolo'), ('yolo_darknet', 'yolo'), ('voc_devkit', 'voc'),
    ('voc_roboflow', 'voc'), ('cvat_video', 'cvat'), ('labelme_xml', 'labelme')])
def test_one_format_recognises_a_folder(folder, name):
    guesses = {module.FORMAT.name: module.FORMAT.sniff(DATA / folder)
               for module in (yolo, voc, cvat, labelme, label_studio)}
    assert [key for key, guess in guesses.items() if guess] == [name]


@pytest.mark.parametrize('module, folder', [(yolo, 'yolo_roboflow'), (voc, 'voc_roboflow')])
def test_roboflow(read, module, folder):
    # its data.yaml names ../valid/images, and the folder is val
    splits = read(module, DATA / folder)
    assert {split: {Path(name).name: [(c, pytest.approx(box)) for c, box in boxes]
                    for name, boxes in found.items()}
            for split, (found, _) in splits.items()} == ROBOFLOW
    assert all((DATA / folder / name).is_file()
               for found, _ in splits.values() for name in found)


def test_splits_have_the_same_categories():
    for module, folder in ((yolo, 'yolo_roboflow'), (voc, 'voc_roboflow')):
        first, second = (split.read()[0]['categories']
                         for split in module.FORMAT.splits(DATA / folder))
        assert first == second == [dict(id=1, name='label_0'), dict(id=2, name='label_1')]


def test_darknet(read):
    boxes, report = read(yolo, DATA / 'yolo_darknet')['train']
    assert boxes == {'obj_train_data/1.jpg': [
        ('label_2', pytest.approx([0, 2, 4, 2], abs=1e-4)),
        ('label_4', pytest.approx([3, 3, 2, 3], abs=1e-4))]}
    assert not report.lines()


def test_voc_devkit(read):
    splits = {split.name: split for split in voc.FORMAT.splits(DATA / 'voc_devkit')}
    assert list(splits) == ['train', 'test']
    content, _ = splits['train'].read()
    # the box of a part is not that of its person
    assert [row['bbox'] for row in content['annotations']] == [[0, 1, 3, 3], [3, 4, 3, 3]]
    with pytest.raises(ValueError, match='1 x XML file that is listed but missing'):
        splits['test'].read()


def test_cvat_video(read):
    boxes, report = read(cvat, DATA / 'cvat_video')['']
    assert boxes == {'images/frame_000010.png': [('II', [3, 4, 7, 1]),
                                                 ('klhg', [2.23, 3.16, 19.72, 11.93])],
                     'images/frame_000013.png': [('II', [3.5, 2, 12.4, 11.88])],
                     'images/frame_000016.png': []}
    assert report.dropped == {cvat.OUTSIDE: 4}
    split, = cvat.FORMAT.splits(DATA / 'cvat_video')
    assert [row['name'] for row in split.read()[0]['categories']] == ['klhg', 'z U k', 'II']


def test_labelme_xml(read):
    boxes, _ = read(labelme, DATA / 'labelme_xml')['']
    found = boxes['Images/subset1/img1.png']
    assert len(found) == 7
    assert found[:3] == [('window', [43, 34, 2, 3]), ('license plate', [58, 66, 4, 2]),
                         ('o1', [15, 12, 27, 14])]


@pytest.mark.parametrize('folder', ['yolo_roboflow', 'voc_devkit', 'cvat_video', 'labelme_xml'])
def test_a_folder_of_data_sets_is_none(tmp_path, folder):
    # so that tools look for the data sets in it
    (tmp_path / 'sets').mkdir()
    (tmp_path / 'sets' / 'mine').symlink_to(DATA / folder)
    guesses = [module.FORMAT.sniff(tmp_path / 'sets')
               for module in (yolo, voc, cvat, labelme, label_studio)]
    assert all(guess is None or guess.confidence < CERTAIN for guess in guesses)
