"""Images that are missing, turned, of another size or of 16 bits, as a set's loader sees them."""

import base64
import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import DefaultScope
from PIL import Image

from glip_mm.evaluation.preflight import Findings, image_checks, image_files
from glip_mm.evaluation.preflight.image_checks import check_images
from glip_mm.evaluation.tested_datasets import tested_datasets as datasets_of
from glip_mm.image_decoding import open_image
from glip_mm.registry import DATASETS

WIDTH, HEIGHT = 32, 20
UPRIGHT, STORED = (WIDTH, HEIGHT), (HEIGHT, WIDTH)


def look(folder, draw, size=UPRIGHT, images=3, loader='LoadImageFromFile', kind='CocoDataset',
         max_bad=None, work_dir=None, **options):
    """Findings on images that ``draw(index)`` gives as ``(image, options of saving)``."""
    for i in range(images):
        made = draw(i)
        if made is not None:
            made[0].save(folder / f'{i}.{made[1].pop("suffix", "png")}', **made[1])
    suffix = '.jpg' if list(folder.glob('*.jpg')) else '.png'
    (folder / 'a.json').write_text(json.dumps(dict(
        images=[dict(id=i, file_name=f'{i}{suffix}', width=size[0], height=size[1])
                for i in range(images)],
        annotations=[dict(id=1, image_id=0, category_id=1, bbox=[2, 2, 9, 9], area=81, iscrowd=0)],
        categories=[dict(id=1, name='cat')])))
    common = dict(ann_file='a.json', data_root=str(folder), data_prefix=dict(img=''),
                  pipeline=[dict(type=loader, **options)])
    common.update(dict(format='coco') if kind == 'GroundingDataset' else dict(
        metainfo=dict(classes=('cat', )), test_mode=max_bad is None))
    if max_bad is not None:
        common.update(max_bad=max_bad)
    with DefaultScope.overwrite_default_scope('glip_mm'):
        dataset = DATASETS.build(dict(type=kind, **common))
    findings = Findings()
    check_images(datasets_of(dataset)[0], findings, work_dir)
    return findings


def plain(mode='RGB', size=UPRIGHT):
    return Image.fromarray(np.full((size[1], size[0], 3), 90, np.uint8)).convert(mode)


def turned():
    """As a phone writes it: stored upright, to be turned by the reader."""
    exif = Image.Exif()
    exif[0x112] = 6
    return plain(size=STORED), dict(exif=exif, suffix='jpg')


def deep(value):
    return Image.fromarray(np.full((HEIGHT, WIDTH), value, np.uint16)), {}


@pytest.mark.parametrize('mode', ['RGB', 'RGBA', 'L', 'LA', 'P'])
def test_all_modes_of_8_bits_are_fine(mode, tmp_path):
    found = look(tmp_path, lambda i: (plain(mode), {}))
    assert (found.errors, found.warnings) == ([], [])


def test_missing_images(tmp_path):
    found = look(tmp_path, lambda i: None if i == 1 else (plain(), {}))
    assert '1 of 3 images that were looked at are missing' in found.errors[0]
    assert "1.png'" in found.errors[0] and 'data_prefix' in found.errors[0]


def test_a_training_set_replaces_a_missing_image_and_not_all(tmp_path):
    made = dict(kind='GroundingDataset', draw=lambda i: None if i == 1 else (plain(), {}))
    found = look(tmp_path, max_bad=0.4, **made)
    assert found.errors == [] and '1 of 3 images' in found.warnings[0]
    # it would end after some epochs
    assert 'at most 1% are replaced: max_bad' in look(tmp_path, **made).errors[0]
    (tmp_path / 'none').mkdir()
    found = look(tmp_path / 'none', lambda i: None, kind='GroundingDataset')
    assert '3 of 3 images' in found.errors[0]


def test_broken_images(tmp_path):
    (tmp_path / '1.png').write_bytes(b'no image')
    found = look(tmp_path, lambda i: None if i == 1 else (plain(), {}))
    assert 'cannot be decoded' in found.errors[0] and "1.png'" in found.errors[0]


def test_files_that_are_cut_off(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / '1.png')
    whole = (tmp_path / '1.png').read_bytes()
    (tmp_path / '1.png').write_bytes(whole[:len(whole) // 2])
    found = look(tmp_path, lambda i: None if i == 1 else (plain(), {}))
    assert 'cannot be decoded' in found.errors[0] and "1.png'" in found.errors[0]


def test_headers_and_ends_of_all_are_looked_at_when_there_is_no_time_to_decode(tmp_path,
                                                                               monkeypatch):
    monkeypatch.setattr(image_files, 'DECODING', -1)
    plain().save(tmp_path / '1.png')
    whole = (tmp_path / '1.png').read_bytes()
    for cut in (b'no image', b'', whole[:-60]):
        (tmp_path / '1.png').write_bytes(cut)
        found = look(tmp_path, lambda i: None if i == 1 else (plain(), {}))
        assert '1 of 3 images that were looked at cannot be decoded' in found.errors[0]
        assert found.notes[0].startswith('a: 3 of 3 images were looked at')


def test_one_of_164_that_lacks_20_bytes(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / '0.jpg')
    whole = (tmp_path / '0.jpg').read_bytes()
    for i in range(164):
        (tmp_path / f'{i}.jpg').write_bytes(whole[:-20] if i == 77 else whole)
    made = dict(draw=lambda i: None, images=164, kind='ZeroShotDataset')
    found = look(tmp_path, **made)
    assert "1 of 164 images that were looked at cannot be decoded" in found.errors[0]
    assert "77.jpg' (image file is truncated" in found.errors[0]
    found = look(tmp_path, max_bad=.1, **made)  # in training another takes its place
    assert found.errors == [] and '1 of 164 images' in found.warnings[0]


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / '1.png')
    found = look(tmp_path, lambda i: None if i == 1 else (plain(), {}))
    assert "1.png' (it is a pipe, not a file)" in found.errors[0]


def test_files_that_are_known_are_not_read_again(tmp_path, monkeypatch):
    made = dict(draw=lambda i: None if i == 1 else (plain(), {}), work_dir=tmp_path / 'work')
    plain().save(tmp_path / '1.png')
    assert look(tmp_path, **made).errors == []
    read = []
    monkeypatch.setattr(image_files, 'open_image', lambda path: read.append(path) or open_image(
        path))
    for i in (0, 2):  # look() has written them anew
        os.utime(tmp_path / f'{i}.png', (1, 1))
    made['draw'] = lambda i: None
    assert look(tmp_path, **made).errors == []
    assert {Path(path).name for path in read} == {'0.png', '2.png'}
    read.clear()
    for known in (dict(image_files._known), {}):  # in this process, and in another
        monkeypatch.setattr(image_files, '_known', known)
        assert look(tmp_path, **made).errors == [] and read == []
    (tmp_path / '1.png').write_bytes(b'no image')
    assert '1.png' in look(tmp_path, **made).errors[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        '0.png', '1.png', '2.png', 'a.json', 'work']


def test_a_sample_of_very_many(tmp_path, monkeypatch):
    monkeypatch.setattr(image_checks, 'SOUGHT', 2)
    assert look(tmp_path, lambda i: (plain(), {})).notes == [
        'a: 2 of 3 images were looked at, 2 of them to the last pixel']


def test_images_turned_by_exif(tmp_path):
    assert look(tmp_path, lambda i: turned()).errors == []
    found = look(tmp_path, lambda i: turned(), size=STORED)
    assert 'EXIF' in found.errors[0] and 'color_ignore_orientation' in found.errors[0]
    # the remedy is one
    found = look(tmp_path, lambda i: turned(), size=STORED, color_type='color_ignore_orientation')
    assert (found.errors, found.warnings) == ([], [])


def test_images_of_another_size(tmp_path):
    found = look(tmp_path, lambda i: (plain(), {}), size=(64, 40))
    assert 'annotated as 64 x 40 and loaded as 32 x 20' in found.errors[0]
    few = look(tmp_path, lambda i: (plain(size=UPRIGHT if i else (64, 40)), {}))
    assert few.errors == [] and '1 of 3 images' in few.warnings[0]


def test_images_of_16_bits(tmp_path):
    assert look(tmp_path, lambda i: deep(40000)).errors == []
    found = look(tmp_path, lambda i: deep(4095))
    assert 'nearly black' in found.errors[0] and '4095 of 65535' in found.errors[0]
    for backend in ('pillow', 'cv2'):
        assert look(tmp_path, lambda i: deep(40000), imdecode_backend=backend).errors == []
    mmcv = dict(loader='mmdet.LoadImageFromFile', imdecode_backend='pillow')
    found = look(tmp_path, lambda i: deep(40000), **mmcv)
    assert 'clip to white' in found.errors[0] and "type='LoadImage'" in found.errors[0]
    assert look(tmp_path, lambda i: (plain(), {}), **mmcv).errors == []


def test_floats_without_a_known_white(tmp_path):
    values = np.full((HEIGHT, WIDTH), 3000, np.float32)
    for i in range(3):
        Image.fromarray(values).save(tmp_path / f'{i}.png', 'TIFF')
    found = look(tmp_path, lambda i: None)
    assert 'nothing says which of them is white' in found.errors[0]


def write_shard(path, contents):
    with tarfile.open(path, 'w') as tar:
        for i, content in enumerate(contents):
            row = dict(filename=f'{i}.png', width=WIDTH, height=HEIGHT, grounding=dict(
                caption='a dog', regions=[dict(bbox=[2, 2, 9, 9], phrase='a dog',
                                               tokens_positive=[[0, 5]])]))
            for suffix, data in (('json', json.dumps(row).encode()), ('png', content)):
                member = tarfile.TarInfo(f'{path.stem}-{i}.{suffix}')
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


def encoded(size=UPRIGHT):
    buffer = io.BytesIO()
    plain(size=size).save(buffer, 'png')
    return buffer.getvalue()


def write_bundle(folder, contents):
    for name, cell in (('img', lambda i, data: base64.b64encode(data).decode()),
                       ('hw', lambda i, data: f'{HEIGHT} {WIDTH}'),
                       ('label', lambda i, data: '[{"class": "cat", "rect": [2, 2, 9, 9]}]')):
        lines = [f'{i}\t{cell(i, data)}\n' for i, data in enumerate(contents)]
        starts = np.cumsum([0, *map(len, lines)])[:-1]
        (folder / f'{name}.tsv').write_text(''.join(lines))
        (folder / f'{name}.lineidx').write_text(''.join(f'{start}\n' for start in starts))
    (folder / 'map.json').write_text('{"label_to_idx": {"cat": 1}}')
    (folder / 'b.yaml').write_text('img: img.tsv\nlabel: label.tsv\nhw: hw.tsv\n'
                                   'labelmap: map.json\n')


@pytest.mark.parametrize('kind', ['tar', 'tsv'])
@pytest.mark.parametrize('fault, message', [
    (None, None), (lambda: encoded()[:-30], 'cannot be decoded'),
    (lambda: b'', 'cannot be decoded'),
    (lambda: encoded(STORED), 'have another size')])
def test_images_in_shards_and_bundles(kind, fault, message, tmp_path):
    good = [encoded()] * 3
    bad = good if fault is None else [fault(), *good[1:]]
    if kind == 'tar':
        write_shard(tmp_path / 'a.tar', good)
        write_shard(tmp_path / 'b.tar', bad)
    else:
        write_bundle(tmp_path, bad)
    with DefaultScope.overwrite_default_scope('glip_mm'):
        dataset = DATASETS.build(dict(type='GroundingDataset', data_root=str(tmp_path),
                                      ann_file='*.tar' if kind == 'tar' else 'b.yaml', format=kind,
                                      pipeline=[dict(type='LoadImage')]))
    findings = Findings()
    check_images(datasets_of(dataset)[0], findings)
    said = findings.errors + findings.warnings
    assert bool(said) == (fault is not None), said
    if fault is not None:
        line, = said
        assert message in line and ('b.tar/0.png' if kind == 'tar' else 'img.tsv/') in line
        assert line.startswith(f'{dataset.__class__.__name__}: 1 of') or ' 1 of ' in line


def test_the_first_image_of_each_of_many_shards(tmp_path, monkeypatch):
    monkeypatch.setattr(image_checks, 'PACKED', 1)
    infos = [dict(img_path=f'{shard}.tar/{i}.png', img_bytes_ref=None)
             for shard in 'abc' for i in range(9)]
    some = [info['img_path'] for info in image_checks._some_packed(infos)]
    assert some[:3] == ['a.tar/0.png', 'b.tar/0.png', 'c.tar/0.png'] and len(set(some)) <= 4
