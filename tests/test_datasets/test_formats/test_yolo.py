"""YOLO: the layouts that people have, and lines of all kinds."""

import os

import pytest

from glip_mm.datasets.formats import yolo, yolo_config, yolo_labels
from glip_mm.datasets.formats.image_annotations import NOT_FOUND

from .conftest import write_image

LINE = '0 0.5 0.5 0.2 0.4\n'
BOX = [40, 15, 20, 20]
CAT = [('cat', BOX)]
YAML = 'train: images/train\nval: images/val\nnames: [cat, dog]\n'


def pair(split, name='a', text=LINE):
    return {f'images/{split}/{name}.jpg': None, f'labels/{split}/{name}.txt': text}


def test_data_yaml(tree, read):
    folder = tree({'data.yaml': YAML, **pair('train'), **pair('val', 'b', '1 .5 .5 .2 .4')})
    assert yolo.FORMAT.sniff(folder).confidence == 1
    for path in (folder, folder / 'data.yaml'):
        assert {name: boxes for name, (boxes, _) in read(yolo, path).items()} == dict(
            train={'images/train/a.jpg': CAT}, val={'images/val/b.jpg': [('dog', BOX)]})


@pytest.mark.parametrize('names, found', [
    ('{0: cat, 1: dog}', {0: 'cat', 1: 'dog'}),
    ('{"0": cat, 7: dog}', {0: 'cat', 7: 'dog'}),
    ('[no, 1, null, "yes", été]', {0: 'no', 1: '1', 2: 'null', 3: 'yes', 4: 'été'})])
def test_names_are_texts(tree, names, found):
    path = tree({'data.yaml': f'train: x\nnames: {names}\n'}) / 'data.yaml'
    content = yolo_config.read_yaml(path)
    assert yolo_config.class_names(content['names'], None, path, yolo_config.Report('')) == found


def test_number_of_classes_alone(tree, read):
    folder = tree({'data.yaml': 'train: images/train\nnc: 2\n', **pair('train')})
    boxes, report = read(yolo, folder)['train']
    assert boxes == {'images/train/a.jpg': [('class 0', BOX)]}
    assert report.changed == {yolo_config.NAMELESS: 2}


@pytest.mark.parametrize('text, message', [
    ('train: x\nnames: [a\nval: y\n', 'line 3'),
    ('train: images\nnames: {cat: 0}\n', "'cat' of 'names'"),
    ('train: images\nnames: here.txt\n', 'no list'),
    ('train: images\nnames:\n', "neither 'names' nor"),
    ('train: nowhere/x\nnames: [a]\n', "'train' names 'nowhere/x', which is not there"),
    ('train: images\nnames: [a]\nkpt_shape: 17\n', 'kpt_shape')])
def test_configurations_that_cannot_be_used(tree, text, message):
    folder = tree({'data.yaml': text, **pair('train')})
    with pytest.raises(ValueError, match=message) as error:
        yolo.FORMAT.splits(folder)[0].read()
    assert 'data.yaml' in str(error.value)


def test_a_missing_test_set_is_no_fault(tree):
    folder = tree({'data.yaml': YAML + 'test: ../test/images\n', **pair('train'), **pair('val')})
    assert [split.name for split in yolo.FORMAT.splits(folder)] == ['train', 'val']


def test_missing_validation_set_is_a_fault_of_that_split(tree):
    train, val = yolo.FORMAT.splits(tree({'data.yaml': YAML, **pair('train')}))
    assert len(train.read()[0]['images']) == 1
    with pytest.raises(ValueError, match="'val' names 'images/val'"):
        val.read()


@pytest.mark.parametrize('path', ['.', '/content/drive/data', '../data', '', 'C:\\data'])
@pytest.mark.parametrize('train', [
    'images/train', '[images/train]', './images/train', '../images/train',
    '/content/drive/data/images/train', 'C:\\data\\images\\train', 'list.txt', 'x/train.txt'])
def test_paths(tree, read, path, train):
    folder = tree({'data.yaml': f"path: {path}\ntrain: {train}\nnames: [cat]\n", **pair('train'),
                   'list.txt': './images/train/a.jpg\n',
                   'train.txt': '/home/me/data/images/train/a.jpg\r\n'})
    assert read(yolo, folder)['train'][0] == {'images/train/a.jpg': CAT}


def test_path_from_the_working_directory(tree, read, monkeypatch):
    folder = tree({'cfg/x.yaml': 'path: sets/one\ntrain: images/train\nnames: [cat]\n',
                   **{f'sets/one/{k}': v for k, v in pair('train').items()}})
    monkeypatch.chdir(folder)
    assert read(yolo, folder / 'cfg')['train'][0] == {'images/train/a.jpg': CAT}


def test_configuration_names_a_folder_elsewhere(tree, read):
    other = tree(pair('train'), 'other')
    folder = tree({'data.yaml': f'train: {other}/images/train\nnames: [cat]\n'})
    split, = yolo.FORMAT.splits(folder)
    assert split.images == other
    assert read(yolo, folder)['train'][0] == {'images/train/a.jpg': CAT}


def test_lists_do_not_lead_out_of_the_folder(tree, read):
    other = tree(pair('train', 'secret'), 'other')
    folder = tree({'data.yaml': 'train: train.txt\nnames: [cat]\n', **pair('train'), 'train.txt':
                   f'{other}/images/train/secret.jpg\n../other/images/train/secret.jpg\n'
                   'images/train/a.jpg\n'})
    boxes, report = read(yolo, folder)['train']
    assert boxes == {'images/train/a.jpg': CAT}
    assert report.dropped == {NOT_FOUND: 2}
    assert (report.rows_read, report.rows_written) == (3, 1)


@pytest.mark.parametrize('files', [
    {'images/a.jpg': None, 'labels/a.txt': LINE},
    {'images/a.jpg': None, 'images/a.TXT': LINE},
    {'a.jpg': None, 'a.txt': LINE},
    {'JPEGImages/a.jpg': None, 'labels/a.txt': LINE},
    {'photos/a.jpg': None, 'labels/a.txt': LINE},
    {'images/images/a.jpg': None, 'images/labels/a.txt': LINE}])
def test_layouts_without_a_configuration(tree, read, files):
    folder = tree({**files, 'classes.txt': 'cat\ndog\n'})
    assert yolo.FORMAT.sniff(folder).confidence == 0.7
    (name, (boxes, _)), = read(yolo, folder).items()
    assert name == '' and list(boxes.values()) == [CAT]


@pytest.mark.parametrize('first', ['train/images', 'images/train', 'train'])
def test_splits_without_a_configuration(tree, read, first):
    files = {}
    for split in ('train', 'valid'):
        folder = first.replace('train', split)
        files |= {f'{folder}/{split}.jpg': None,
                  f'{folder.replace("images", "labels")}/{split}.txt': LINE}
    splits = read(yolo, tree({**files, 'docs/logo.png': None}))
    assert list(splits) == ['train', 'val']
    assert splits['val'][0] == {f'{first.replace("train", "valid")}/valid.jpg': [('class 0', BOX)]}


def test_list_files_without_a_configuration(tree, read):
    folder = tree({**pair('all', 'a'), **pair('all', 'b'), 'classes.txt': 'cat',
                   'train.txt': 'images/all/a.jpg\n', 'val.txt': 'images/all/b.jpg\n'})
    assert {name: list(boxes) for name, (boxes, _) in read(yolo, folder).items()} == dict(
        train=['images/all/a.jpg'], val=['images/all/b.jpg'])


@pytest.mark.parametrize('line, box, cause', [
    ('0\t0.5  0.5 0.2 0.4\r', BOX, ''),
    ('\ufeff0 0.5 0.5 0.2 0.4', BOX, ''),
    ('0.0 0.5 0.5 0.2 0.4', BOX, ''),
    ('0 0.5 0.5 0.2 0.4 0.93', BOX, yolo_labels.CONFIDENCE),
    ('0 .4 .3 .6 .3 .6 .7 .4 .7', BOX, yolo_labels.OUTLINE),
    ('0 .5 .3 .4 .7 .6 .7', BOX, yolo_labels.OUTLINE),
    ('0 50 25 20 20', None, yolo_labels.NOT_A_SHARE),
    ('0 nan 0.5 0.2 0.4', None, yolo_labels.NOT_A_SHARE),
    ('0 0.5 0.5 0.2', None, yolo_labels.MALFORMED),
    ('cat 0.5 0.5 0.2 0.4', None, yolo_labels.MALFORMED),
    ('0 .5 .5 .2 .4 .5 .5 2', None, yolo_labels.COLUMNS),
    ('2 0.5 0.5 0.2 0.4', None, 'box of a category that is not listed'),
    ('-1 0.5 0.5 0.2 0.4', None, 'box of a category that is not listed'),
    ('0 0.5 0.5 0 0.4', None, 'box of no width or height'),
    ('1 .1 .1 .1 .1', None, yolo_labels.TWICE)])
def test_lines(tree, read, line, box, cause):
    folder = tree({'data.yaml': YAML, **pair('val'),
                   **pair('train', text=f'{line}\n\n1 .1 .1 .1 .1\n')})
    boxes, report = read(yolo, folder)['train']
    assert [found for name, found in boxes['images/train/a.jpg'] if name == 'cat'] == (
        [pytest.approx(box)] if box else [])
    assert set(report.dropped | report.changed) == ({cause} if cause else set())
    assert report.boxes_read == 2


def test_keypoints(tree, read):
    folder = tree({'data.yaml': YAML + 'kpt_shape: [2, 3]\n', **pair('val'), **pair(
        'train', text='0 .5 .5 .2 .4 .1 .1 2 .9 .9 2\n1 .5 .5 .2 .4\n0 .1 .1 .2 .1 .2 .2 .1 .2')})
    boxes, report = read(yolo, folder)['train']
    assert boxes['images/train/a.jpg'] == [('cat', BOX), ('dog', BOX)]
    assert report.dropped == {yolo_labels.COLUMNS: 1}


def test_images_without_boxes(tree, read):
    folder = tree({'data.yaml': YAML, **pair('val'), **pair('train'), **pair('train', 'b', ''),
                   'images/train/c.jpg': None, **pair('train', 'd')})
    (folder / 'images/train/d.jpg').write_bytes(b'\xff\xd8broken')
    boxes, report = read(yolo, folder)['train']
    assert boxes == {'images/train/a.jpg': CAT, 'images/train/b.jpg': [],
                     'images/train/c.jpg': []}
    assert report.changed == {yolo.NO_LABELS: 1}
    assert report.dropped[yolo.UNREADABLE] == 1 and report.rows_read == 4


def test_no_labels_at_all(tree):
    folder = tree({'data.yaml': YAML, 'images/train/a.jpg': None})
    with pytest.raises(ValueError, match='none of 1 images has a label file'):
        yolo.FORMAT.splits(folder)[0].read()


def test_size_of_a_turned_image(tree, read):
    folder = tree({'data.yaml': YAML, **pair('train'), **pair('val')})
    write_image(folder / 'images/train/a.jpg', (50, 100), orientation=6)
    assert read(yolo, folder)['train'][0] == {'images/train/a.jpg': CAT}


def test_several_indices_of_a_name(tree, read):
    folder = tree({'data.yaml': 'train: images/train\nnames: [cat, cat]\n',
                   **pair('train', text='1 .5 .5 .2 .4')})
    boxes, report = read(yolo, folder)['train']
    assert boxes == {'images/train/a.jpg': CAT}
    assert report.changed == {yolo_config.SAME_NAME: 1}


def test_class_files_that_disagree(tree):
    folder = tree({**pair('train'), **pair('val'), 'labels/train/classes.txt': 'cat\ndog',
                   'labels/val/classes.txt': 'dog\ncat'})
    with pytest.raises(ValueError, match='name different classes'):
        yolo.FORMAT.splits(folder)[0].read()


@pytest.mark.parametrize('text', ['a cat on a mat', '2 cats and 3 dogs are here now', 'x: 1'])
def test_captions_are_no_labels(tree, text):
    assert yolo.FORMAT.sniff(tree({'a.jpg': None, 'a.txt': text})) is None
    assert yolo.FORMAT.sniff(tree({'a.yaml': 'train: x\n'})) is None


def test_pipes_are_not_opened(tree, read):
    folder = tree({'data.yaml': YAML, **pair('train'), **pair('val')})
    os.mkfifo(folder / 'images/train/pipe.jpg')
    os.mkfifo(folder / 'pipe.yaml')
    (folder / 'labels/train/a.txt').unlink()
    os.mkfifo(folder / 'labels/train/a.txt')
    assert yolo.FORMAT.sniff(folder)
    assert read(yolo, folder)['train'][0] == {'images/train/a.jpg': []}


def test_labels_whose_image_is_missing_are_counted(tree, read):
    folder = tree({'data.yaml': YAML, **pair('train'), **pair('val', 'b'),
                   'labels/train/lost.txt': 2 * LINE + '1 .5 .5 .1 .1\n',
                   'labels/train/classes.txt': 'cat\ndog\n'})
    boxes, report = read(yolo, folder)['train']
    assert boxes == {'images/train/a.jpg': CAT}
    assert report.dropped == {yolo.NO_IMAGE: 1, yolo.WITH_ITS_ROW: 2, yolo_labels.TWICE: 1}
    assert report.rows_read == 2 and report.boxes_read == 4
    assert 'lost.txt' in report.examples[yolo.NO_IMAGE]
    assert not read(yolo, folder)['val'][1].dropped


@pytest.mark.parametrize('names, other', [
    (('a.yaml', 'b.yaml'), YAML.replace('[cat, dog]', '[dog, cat]')),
    (('a.yaml', 'b.yml'), YAML.replace('images/val', 'images/train'))])
def test_configurations_that_contradict_each_other(tree, names, other):
    folder = tree({names[0]: YAML, names[1]: other, **pair('train'), **pair('val', 'b')})
    with pytest.raises(ValueError, match="'a.yaml' and 'b.ya?ml', which differ in "):
        yolo.FORMAT.splits(folder)
    assert len(yolo.FORMAT.splits(folder / names[1])) == 2
    (folder / names[0]).rename(folder / 'data.yaml')
    assert len(yolo.FORMAT.splits(folder)) == 2


def test_utf_16_as_powershell_writes_it(tree, read):
    folder = tree({'data.yaml': YAML.encode('utf-16'), **pair('train'), **pair('val', 'b')})
    assert read(yolo, folder)['train'][0] == {'images/train/a.jpg': CAT}


def test_a_number_of_classes_that_contradicts_the_names(tree, read):
    folder = tree({'data.yaml': 'train: images/train\nnames: [cat, dog]\nnc: 3\n', **pair('train')})
    boxes, report = read(yolo, folder)['train']
    assert boxes == {'images/train/a.jpg': CAT}
    assert report.changed == {yolo_config.OTHER_COUNT: 1}
    assert report.examples[yolo_config.OTHER_COUNT].endswith('data.yaml: nc 3, 2 names')
