"""Tar shards: captions to label, records to train on, and shards that are cut off."""

import errno
import io
import json
import tarfile

import pytest
from PIL import Image

from glip_mm.datasets.formats import open_folder
from glip_mm.datasets.formats.records import records_of, unpacked


def encoded(kind='JPEG'):
    data = io.BytesIO()
    Image.new('RGB', (40, 20)).save(data, format=kind)
    return data.getvalue()


def shard(path, samples):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, 'w') as file:
        for key, suffix, text in samples:
            for ending, content in (('json', json.dumps(text).encode()),
                                    (suffix, encoded('WEBP' if suffix == 'webp' else 'JPEG'))):
                info = tarfile.TarInfo(f'{key}.{ending}')
                info.size = len(content)
                file.addfile(info, io.BytesIO(content))
    path.with_name(f'{path.stem}_stats.json').write_text('{"count": 2}')


def labelled(name='x.jpg', **more):
    return dict(caption='a dog', filename=name, width=40, height=20, **(more or dict(grounding=dict(
        caption='a dog', regions=[dict(bbox=[1, 1, 9, 9], phrase='dog',
                                       tokens_positive=[[2, 5]])]))))


def test_captions_are_to_be_labelled(tmp_path):
    shard(tmp_path / '00000.tar', [('000000000', 'webp', dict(caption='a dog', width=40))])
    opened = open_folder(tmp_path)
    assert opened.reason == ("'00000.tar' (1 shards) has images with captions, not labelled yet")
    files = opened.splits['']
    assert files.holds == 'captions'
    for use in (files.read, lambda: records_of(files)):
        with pytest.raises(ValueError, match='captions without boxes: label it with tools/pseudo_'):
            use()


def test_records_and_images(tmp_path):
    none = dict(caption='nothing', width=40, height=20)
    shard(tmp_path / 'train/00000.tar', [('0', 'jpg', none), ('../1', 'webp', labelled())])
    shard(tmp_path / 'train/00001.tar', [('0', 'jpg', labelled()), ('1', 'jpg', labelled())])
    whole = (tmp_path / 'train/00001.tar').read_bytes()
    (tmp_path / 'train/00001.tar').write_bytes(whole[:2600])  # a killed download
    opened = open_folder(tmp_path)
    files = unpacked(opened.splits['train'], tmp_path / 'out')
    records = records_of(files)
    rows = list(records)
    assert [r['filename'] for r in rows] == ['train_00000/1.webp', 'train_00001/0.jpg']
    assert all(Image.open(files.images / r['filename']).size == (40, 20) for r in rows)
    assert files.images == tmp_path / 'out' and files.unpack is None
    assert records.report.dropped == {'sample without grounding': 1,
                                      'shard that is cut off or broken, from there on': 1}
    assert '00001.tar' in records.report.summary()


def test_detection_is_a_data_set_of_classes(tmp_path):
    shard(tmp_path / '00000.tar', [('0', 'jpg', labelled(detection=dict(instances=[
        dict(bbox=[1, 2, 11, 12], label=0, category='dog')])))])
    opened = open_folder(tmp_path)
    assert opened.classes('') == ('dog',)
    assert opened.content('')['annotations'][0]['bbox'] == [1, 2, 10, 10]


def test_members_of_one_name_in_two_folders(tmp_path):
    keys = ['x/0', 'y/0', './z/0', '..\\..\\w', '/tmp/v']
    shard(tmp_path / 'a.tar', [(key, 'jpg', labelled()) for key in keys])
    files = unpacked(open_folder(tmp_path).splits[''], tmp_path / 'deep' / 'out')
    names = [row['filename'] for row in records_of(files)]
    assert names == ['a/x/0.jpg', 'a/y/0.jpg', 'a/z/0.jpg', 'a/w.jpg', 'a/v.jpg']
    assert all((files.images / name).is_file() for name in names)
    assert len([*tmp_path.rglob('*.jpg')]) == 5


def test_a_disk_that_is_full_is_no_broken_shard(tmp_path, monkeypatch):
    shard(tmp_path / 'a.tar', [('0', 'jpg', labelled())])

    def write(*args, **options):
        raise OSError(errno.ENOSPC, 'No space left on device')
    monkeypatch.setattr('glip_mm.datasets.formats.shards.write_atomically', write)
    with pytest.raises(OSError, match='No space left'):
        unpacked(open_folder(tmp_path).splits[''], tmp_path / 'out')
