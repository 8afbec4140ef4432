"""Paths that data name stay below the folder that the user gave."""

import base64
import io
import json
import os
import tarfile

import pytest
from PIL import Image

from glip_mm.datasets import GroundingDataset, ZeroShotDataset
from glip_mm.datasets.bad_sample import BadSample
from glip_mm.datasets.converters import coco_records, tsv_records
from glip_mm.datasets.converters.openimages import ImageSizes
from glip_mm.datasets.data_error import DataError
from glip_mm.datasets.data_paths import below
from glip_mm.datasets.formats import open_folder
from glip_mm.datasets.image_size import size_below
from glip_mm.datasets.transforms.load_image import LoadImage
from glip_mm.pseudo_labels.captioned_images import find_shards
from glip_mm.pseudo_labels.label_rows import LabelRows

OUTSIDE = ['../x.jpg', 'a/../../x.jpg', '/etc/hostname', './../x.jpg', 'a/./../../x.jpg']
NO_NAME = ['a\0b', 'x' * 256, 'a/' + 'y' * 300 + '/b', '\ud800.jpg']


def test_names_below():
    for name, path in (('a.jpg', 'r/a.jpg'), ('a/b c.jpg', 'r/a/b c.jpg'), ('./a', 'r/a'),
                       ('a/../b.jpg', 'r/b.jpg'), ('..a.jpg', 'r/..a.jpg')):
        assert below('r', name) == path
    assert below('/r', '/r/a/../b.jpg') == '/r/b.jpg'
    # without a root the user left it to the data
    assert below('', '/x/a.jpg') == '/x/a.jpg' and below(None, '../a.jpg') == '../a.jpg'
    assert below('r', '/x/a.jpg', absolute=True) == '/x/a.jpg'


@pytest.mark.parametrize('name', OUTSIDE)
def test_names_outside(name):
    with pytest.raises(ValueError, match="leads out of 'r'"):
        below('r', name)
    with pytest.raises(ValueError, match="leads out"):
        below('r', '../r/x', absolute=True)


@pytest.mark.parametrize('name', [*NO_NAME, '', None, 7])
def test_what_no_file_is_called(name):
    for root in ('r', ''):
        with pytest.raises(ValueError, match='no file is called'):
            below(root, name)


@pytest.fixture
def secret(tmp_path):
    """A picture outside the folder of the images."""
    (tmp_path / 'images' / 'a').mkdir(parents=True)
    Image.new('RGB', (8, 8)).save(tmp_path / 'x.jpg')
    Image.new('RGB', (8, 8)).save(tmp_path / 'images' / 'good.jpg')
    return tmp_path


@pytest.mark.parametrize('name', ['../x.jpg', 'a/../../x.jpg', '{}/x.jpg'])
def test_data_sets(secret, name):
    name = name.format(secret)
    coco = dict(images=[dict(id=1, file_name=name, width=8, height=8)], annotations=[
        dict(id=1, image_id=1, category_id=1, bbox=[0, 0, 4, 4])], categories=[
            dict(id=1, name='cat')])
    (secret / 'c.json').write_text(json.dumps(coco))
    settings = dict(ann_file=str(secret / 'c.json'), pipeline=[], test_mode=True)
    with pytest.raises(DataError, match="c.json': image 1: the file name '.*' leads out of"):
        ZeroShotDataset(data_prefix=dict(img=str(secret / 'images')), **settings)
    found = ZeroShotDataset(data_prefix=dict(img=''), **settings)  # absolute names of the user's
    assert found[0]['img_path'] == name

    (secret / 'o.jsonl').write_text(json.dumps(dict(
        filename=name, height=8, width=8, grounding=dict(caption='a cat', regions=[
            dict(bbox=[0, 0, 4, 4], phrase='cat', tokens_positive=[[2, 5]])]))) + '\n')
    odvg = GroundingDataset(str(secret / 'o.jsonl'), data_prefix=dict(
        img=str(secret / 'images')), pipeline=[])
    with pytest.raises(BadSample, match='leads out of'):
        odvg.get_data_info(0)
    with pytest.raises(ValueError, match='o.jsonl:1: the file name .* leads out of'):
        LabelRows(secret / 'o.jsonl')[0].image_path(secret / 'images')


def test_rows_to_label(secret):
    names = ['good.jpg', '../x.jpg', str(secret / 'x.jpg'), 'a\0b']
    rows = secret / 'images' / 'rows.jsonl'
    rows.write_text(''.join(json.dumps(dict(image=name, caption='a cat')) + '\n'
                            for name in names))
    faults = [s.fault for shard in find_shards(rows, secret / 'run') for s in shard]
    # nobody chose the folder: absolute names are the user's own
    assert faults == ['', 'bad file name', '', 'bad file name']
    rows = rows.rename(secret / 'rows.jsonl')
    shards = find_shards(rows, secret / 'other', images=secret / 'images')
    assert [s.fault for shard in shards for s in shard] == [
        '', 'bad file name', 'bad file name', 'bad file name']


def test_members_of_tar_files_to_label(secret):
    with tarfile.open(secret / 's.tar', 'w') as tar:
        for name in ('good', '../bad', '/tmp/bad'):
            for suffix, content in (('jpg', (secret / 'x.jpg').read_bytes()), ('txt', b'a cat')):
                member = tarfile.TarInfo(f'{name}.{suffix}')
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    shard, = find_shards(secret / 's.tar', secret / 'run')
    assert [(s.name, s.fault) for s in shard] == [
        ('good.jpg', ''), ('../bad.jpg', 'bad file name'), ('/tmp/bad.jpg', 'bad file name')]


def test_keys_and_files_of_tsv_bundles(secret):
    image = base64.b64encode((secret / 'x.jpg').read_bytes()).decode()
    keys = ['good', '../out', '/tmp/out', 'n' * 300, 'a\0b']
    folder = secret / 'bundle'
    folder.mkdir()
    objects = json.dumps([dict(**{'class': 'cat'}, rect=[0, 0, 5, 5])])
    (folder / 'l.tsv').write_text(''.join(f'{key}\t{objects}\n' for key in keys))
    (folder / 'i.tsv').write_text(''.join(f'{key}\t{image}\n' for key in keys))
    (folder / 'map.json').write_text(json.dumps(dict(cat=1)))
    (folder / 'b.yaml').write_text('img: i.tsv\nlabel: l.tsv\nlabelmap: map.json\n')
    records = tsv_records(folder / 'b.yaml', write_images=str(secret / 'out' / 'deep'))
    assert [record['filename'] for record in records] == ['good.jpg']
    assert records.report.dropped == {'key that is no name of an image file': 4}
    assert [p.name for p in (secret / 'out').rglob('*.*')] == ['good.jpg']
    for name in ('../x.jpg', str(secret / 'x.jpg')):
        (folder / 'b.yaml').write_text(f'label: {name}\n')
        with pytest.raises(DataError, match="b.yaml': label: the file name '.*' leads out of"):
            tsv_records(folder / 'b.yaml')


def test_sizes_are_those_of_images_below(secret):
    assert size_below(secret / 'images', 'good.jpg') == (8, 8)
    for name in ('../x.jpg', str(secret / 'x.jpg'), 'none.jpg', 'a\0b'):
        assert size_below(secret / 'images', name) is None


def test_sizes_of_converted_images_are_those_of_images_below(secret):
    Image.new('RGB', (9, 7)).save(secret / 'x.jpg')
    for name in ('../x.jpg', str(secret / 'x.jpg')):
        (secret / 'c.json').write_text(json.dumps(dict(
            images=[dict(id=1, file_name='good.jpg'), dict(id=2, file_name=name)],
            annotations=[dict(id=i, image_id=i, category_id=1, bbox=[1, 1, 5, 5], area=25)
                         for i in (1, 2)], categories=[dict(id=1, name='cat')])))
        rows = list(coco_records(secret / 'c.json', images=secret / 'images'))
        assert [(row['filename'], row['width']) for row in rows] == [('good.jpg', 8)]
        assert ImageSizes(secret / 'images')(name) is None


@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='no pipes')
def test_a_caption_that_is_a_pipe(secret):
    folder = secret / 'images'
    os.mkfifo(folder / 'good.txt')
    Image.new('RGB', (8, 8)).save(folder / 'z.jpg')
    (folder / 'z.txt').write_text('a cat')
    assert [(s.name, s.fault) for shard in find_shards(folder, secret / 'run') for s in shard] == [
        ('good.jpg', 'broken caption'), ('z.jpg', '')]


@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='no pipes')
@pytest.mark.parametrize('settings', [{}, dict(backend_args=dict(backend='local'))])
def test_a_pipe_or_device_is_not_waited_for(tmp_path, settings):
    os.mkfifo(tmp_path / 'p.jpg')
    for path, kind in ((tmp_path / 'p.jpg', 'a pipe'), ('/dev/zero', 'a device')):
        with pytest.raises(BadSample, match=f'it is {kind}, not a file'):
            LoadImage(**settings)(dict(img_path=str(path)))


@pytest.mark.parametrize('name', ['{}/x.jpg', '../x.jpg', '../../x.jpg'])
def test_folders_look_for_images_within_them(secret, name):
    folder = secret / 'images'
    (folder / 'train.json').write_text(json.dumps(dict(
        images=[dict(id=1, file_name=name.format(secret), width=8, height=8)],
        annotations=[dict(id=1, image_id=1, category_id=1, bbox=[0, 0, 4, 4])],
        categories=[dict(id=1, name='cat')])))
    with pytest.raises(FileNotFoundError, match='are not found'):
        open_folder(folder, 'coco')
    Image.new('RGB', (8, 8)).save(folder / 'x.jpg')  # the path of another machine
    split, = open_folder(folder, 'coco').splits.values()
    assert split.images == folder and split.read()[0]['images'][0]['file_name'] == 'x.jpg'
