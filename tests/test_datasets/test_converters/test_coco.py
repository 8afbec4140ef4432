"""COCO and LVIS: labels, boxes, crowds, and every loss counted."""

import gzip
import json
from pathlib import Path

import pytest

from glip_mm.datasets.converters import (
    FORMATS,
    coco_records,
    lvis_records,
    write_jsonl,
    write_label_map,
)
from glip_mm.datasets.converters.command import beside, convert
from glip_mm.datasets.converters.objects365 import Release

from .conftest import dump, lines


def test_boxes_labels_and_counts(coco):
    records = coco_records(coco, progress=False)
    assert records.label_map == {0: 'cat_(pet)', 1: 'dog'}
    b, a, none = records
    assert (b['filename'], b['height'], b['width'], b['image_id']) == ('b.jpg', 60, 80, 30)
    assert b['detection']['instances'] == [
        dict(bbox=[10, 20, 40, 60], label=1, category='dog'),
        dict(bbox=[.5, .25, 3, 3.5], label=0, category='cat_(pet)', ignore=1)]
    assert (a['height'], a['width']) == (50, 100)
    assert [i['bbox'] for i in a['detection']['instances']] == [
        [0, 0, 5, 5], [0, 0, 6, 6], [95, 45, 100, 50]]
    assert none['detection']['instances'] == []
    report = records.report
    assert report.dropped == {
        'box that is not four finite numbers': 3, 'box of an image that is not listed': 1,
        'box outside the image': 1, 'box one pixel thin or less': 1,
        'box of no width or height': 1, 'box of a category that is not listed': 1,
        'image without a positive whole width and height': 1, 'image listed twice': 1}
    assert report.changed == {'box clipped to the image': 2, 'crowd box marked to be ignored': 1}
    # nothing is lost without a count
    boxes = sum(n for cause, n in report.dropped.items() if cause.startswith('box'))
    assert report.boxes_read == report.boxes_written + boxes == 13
    assert report.rows_read == report.rows_written + 2 == records.total == 5
    assert '1 x box outside the image (first: annotations[5])' in report.summary()


def test_options(coco):
    release = Release(missing=frozenset({10}), prefixes=('x/', 'b'), names={'dog': 'hound'})
    records = coco_records(coco, drop_crowd=True, release=release, progress=False)
    rows = list(records)
    assert [row['filename'] for row in rows] == ['.jpg', 'none.jpg']
    assert rows[0]['detection']['instances'] == [
        dict(bbox=[10, 20, 40, 60], label=1, category='hound')]
    assert records.report.dropped['crowd box'] == 1
    # of image 10, those that were no box at all are counted as that
    assert records.report.dropped['box of an image that is not listed'] == 1 + 7
    assert records.report.dropped['image known to be missing or unreadable'] == 2  # listed twice


def test_boxes_keep_their_order(tmp_path):
    images = range(5)
    annotations = [dict(image_id=(7 * i) % 5, bbox=[i, 0, 9, 9], category_id=1)
                   for i in range(300)]
    path = dump(tmp_path / 'a.json', dict(
        images=[dict(id=i, file_name=f'{i}.jpg', height=50, width=400) for i in images],
        annotations=annotations, categories=[dict(id=1, name='a')]))
    for i, row in zip(images, coco_records(path, progress=False)):
        assert [one['bbox'][0] for one in row['detection']['instances']] == [
            a['bbox'][0] for a in annotations if a['image_id'] == i]


@pytest.mark.parametrize('categories, words', [
    ([dict(id=1, name='a'), dict(id=1, name='b')], "1 is that of 'a' and 'b'"),
    ([], "no 'categories'"),
    ([dict(id=1)], "categories\\[0\\]"), (['a'], "categories\\[0\\]")])
def test_bad_categories(tmp_path, categories, words):
    path = dump(tmp_path / 'a.json', dict(images=[], annotations=[], categories=categories))
    with pytest.raises(ValueError, match=words):
        coco_records(path, progress=False)


def test_lvis_keeps_its_lists(tmp_path):
    path = dump(tmp_path / 'lvis.json', dict(
        images=[dict(id=1, coco_url='http://x/val2017/000000000009.jpg', height=9, width=9,
                     neg_category_ids=[5, 9, 404], not_exhaustive_category_ids=[2])],
        annotations=[dict(id=1, image_id=1, category_id=9, bbox=[1, 1, 4, 4])],
        categories=[dict(id=i, name=f'c{i}', frequency='r') for i in (9, 2, 5)]))
    record, = lvis_records(path, progress=False)
    assert record['filename'] == 'val2017/000000000009.jpg'
    assert record['detection'] == dict(
        instances=[dict(bbox=[1, 1, 5, 5], label=2, category='c9')], negatives=[1, 2],
        not_exhaustive=[0])


def test_output_is_complete_or_absent(coco, tmp_path, monkeypatch):
    out = tmp_path / 'out' / 'a.jsonl'
    records = coco_records(coco, progress=False)

    def stop():
        yield from [dict(filename='a')] * 3
        raise RuntimeError('stopped')

    with pytest.raises(RuntimeError):
        write_jsonl(stop(), out, progress=False)
    assert list(out.parent.iterdir()) == []
    synced = []
    monkeypatch.setattr('os.fsync', synced.append)
    assert write_jsonl(records, out, progress=False) == 3
    assert synced and [path.name for path in out.parent.iterdir()] == ['a.jsonl']
    assert lines(out)[0]['filename'] == 'b.jpg'
    with pytest.raises(RuntimeError):
        write_jsonl(stop(), out, progress=False)
    assert len(lines(out)) == 3


def test_two_readings_write_the_same_bytes(coco, tmp_path):
    for name in 'ab':
        write_jsonl(FORMATS['coco'](coco, progress=False), tmp_path / name, progress=False)
    assert Path(tmp_path / 'a').read_bytes() == Path(tmp_path / 'b').read_bytes()


def test_mmdet_reads_it(coco, tmp_path):
    from mmdet.datasets import ODVGDataset

    records = coco_records(coco, drop_crowd=True, progress=False)
    write_jsonl(records, tmp_path / 'a.jsonl', progress=False)
    write_label_map(records.label_map, tmp_path / 'map.json')
    data = ODVGDataset(ann_file=str(tmp_path / 'a.jsonl'), data_prefix=dict(img='images'),
                       label_map_file=str(tmp_path / 'map.json'), return_classes=True,
                       filter_cfg=None, pipeline=[], serialize_data=False)
    rows = [json.loads(line) for line in (tmp_path / 'a.jsonl').read_text().splitlines()]
    assert len(data) == 3
    for i, row in enumerate(rows):
        info = data.get_data_info(i)
        assert info['img_path'] == f"images/{row['filename']}"
        assert info['text'] == {'0': 'cat_(pet)', '1': 'dog'}
        # every box that is written is one that it trains on
        assert [(one['bbox'], one['bbox_label']) for one in info['instances']] == [
            (one['bbox'], one['label']) for one in row['detection']['instances']]


def test_a_file_of_captions_is_named(tmp_path):
    images = [dict(id=1, file_name='a.jpg', height=9, width=9)]
    captions = [dict(id=1, image_id=1, category_id=1, caption='a dog')]
    words = 'captions of images, without boxes; give the file of boxes'
    for categories in (dict(), dict(categories=[]), dict(categories=[dict(id=1, name='dog')])):
        path = dump(tmp_path / 'captions.json', dict(
            images=images, annotations=captions, **categories))
        with pytest.raises(ValueError, match=words):
            convert(coco_records(path, progress=False), tmp_path / 'out.json')
        assert not (tmp_path / 'out.json').exists()


def test_nothing_usable_is_an_error(tmp_path):
    path = dump(tmp_path / 'a.json', dict(
        images=[dict(id=1, file_name='a.jpg', height=9, width=9)],
        annotations=[dict(id=1, image_id=1, category_id=1, bbox=[1, 1, 1, 1])],
        categories=[dict(id=1, name='dog')]))
    with pytest.raises(ValueError, match='no box that can be used\n(.*\n)+.*1 x box one pixel'):
        write_jsonl(coco_records(path, progress=False), tmp_path / 'out.json', progress=False)
    assert not (tmp_path / 'out.json').exists()


def test_files_as_people_have_them(coco, tmp_path):
    text = Path(coco).read_text().replace('"image_id": 30', '"image_id": 30.0')
    (tmp_path / 'b.json.gz').write_bytes(gzip.compress(
        b'\xef\xbb\xbf' + text.replace(', ', ',\r\n').encode()))
    assert list(coco_records(tmp_path / 'b.json.gz', progress=False)) == list(
        coco_records(coco, progress=False))
    assert beside('x/b.json.gz', '_od.json') == Path('x/b_od.json')


def objects365(path, names, category='Bakset', first_id=320531):
    return dump(path, dict(
        images=[dict(id=first_id + i, file_name=name, height=9, width=9)
                for i, name in enumerate(names)],
        annotations=[dict(image_id=first_id + i, category_id=5, bbox=[1, 1, 4, 4])
                     for i in range(len(names))],
        categories=[dict(id=5, name=category), dict(id=6, name='Dog')]))


def test_objects365_is_known_by_its_images(tmp_path):
    path = objects365(tmp_path / 'a.json', [
        'images/v1/patch6/objects365_v1_00320531.jpg',
        'images/v1/patch6/objects365_v1_00320532.jpg'])
    records = coco_records(path, progress=False)
    record, = records
    assert record['filename'] == 'patch6/objects365_v1_00320531.jpg'
    assert record['detection']['instances'][0]['category'] == 'Basket'
    assert records.label_map == {0: 'Basket', 1: 'Dog'}
    assert records.report.dropped == {'image known to be missing or unreadable': 1,
                                      'box of a row that is left out': 1}
    assert records.report.changed == {"'images/v1/' before a file name, taken off": 1,
                                      'misspelt class name, corrected': 1}
    (tmp_path / 'images/v1').mkdir(parents=True)
    record, = coco_records(path, images=tmp_path, progress=False)
    assert record['filename'] == 'images/v1/patch6/objects365_v1_00320531.jpg'
    other = objects365(tmp_path / 'b.json', ['images/v1/a.jpg', 'b.jpg'])
    assert [(r['filename'], r['detection']['instances'][0]['category'])
            for r in coco_records(other, progress=False)] == [
        ('images/v1/a.jpg', 'Bakset'), ('b.jpg', 'Bakset')]
    first = objects365(tmp_path / 'c.json', [f'obj365_train_{i:012d}.jpg' for i in (5, 6)],
                       first_id=5)
    assert [r['image_id'] for r in coco_records(first, progress=False)] == [5]
