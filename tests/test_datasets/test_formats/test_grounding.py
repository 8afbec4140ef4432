"""LVIS, MDETR, ODVG and TSV folders: what they hold, and what they give."""

import base64
import gzip
import io
import json

import pytest
from PIL import Image

from glip_mm.datasets.formats import open_folder, recognise
from glip_mm.datasets.formats.records import records_of, unpacked


def lines(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(json.dumps(row) + '\n' for row in rows))


def image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', (40, 20)).save(path)


@pytest.fixture
def lvis(tmp_path):
    content = dict(
        annotations=[dict(id=1, image_id=9, category_id=9, bbox=[1, 1, 4, 4], area=16)],
        images=[dict(id=9, coco_url='http://x/val2017/000000000009.jpg', height=9, width=9,
                     neg_category_ids=[5], not_exhaustive_category_ids=[2])],
        categories=[dict(id=i, name=f'c{i}', frequency=f) for i, f in ((9, 'r'), (2, 'c'),
                                                                       (5, 'f'))])
    (tmp_path / 'annotations').mkdir()
    (tmp_path / 'annotations/lvis_v1_val.json').write_text(json.dumps(content))
    image(tmp_path / 'val2017/000000000009.jpg')
    return tmp_path


def test_lvis_keeps_frequencies_and_lists(lvis):
    opened = open_folder(lvis)
    assert (opened.format.name, list(opened.splits)) == ('lvis', ['val'])
    content, files = opened.content('val'), opened.splits['val']
    one, = content['images']
    assert (files.images / one['file_name']).is_file()
    assert (one['neg_category_ids'], one['not_exhaustive_category_ids']) == ([5], [2])
    assert {c['id']: c['frequency'] for c in content['categories']} == {9: 'r', 2: 'c', 5: 'f'}
    record, = records_of(files)
    assert record['detection'] == dict(instances=[dict(bbox=[1, 1, 5, 5], label=2, category='c9')],
                                       negatives=[1], not_exhaustive=[0])


def test_lvis_beside_coco_is_coco(lvis):
    (lvis / 'annotations/instances_val2017.json').write_text(json.dumps(dict(
        images=[dict(id=1, file_name='000000000009.jpg', width=9, height=9)],
        annotations=[dict(id=1, image_id=1, category_id=1, bbox=[1, 1, 4, 4])],
        categories=[dict(id=1, name='dog')])))
    assert recognise(lvis)[0].name == 'coco'
    assert recognise(lvis / 'annotations/lvis_v1_val.json')[0].name == 'lvis'


def mdetr(path, *images):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\ufeff' + json.dumps(dict(
        images=[dict(id=i, file_name=name, height=20, width=40, caption='a dog',
                     **(dict(data_source=source) if source else {}))
                for i, (name, source) in enumerate(images)],
        annotations=[dict(id=i, image_id=i, category_id=1, bbox=[1, 1, 9, 9], iscrowd=0,
                          tokens_positive=[[2, 5]]) for i in range(len(images))],
        categories=[dict(id=1, name='object')])), encoding='utf-8')


def test_mdetr(tmp_path):
    mdetr(tmp_path / 'mdetr_annotations/final_mixed_train.json',
          ('COCO_train2014_9.jpg', 'coco'), ('7.jpg', 'vg'))
    image(tmp_path / 'coco/train2014/COCO_train2014_9.jpg')
    image(tmp_path / 'gqa/images/7.jpg')
    opened = open_folder(tmp_path)
    assert opened.format.name == 'mdetr'
    files = opened.splits['train']
    assert files.holds == 'phrases'
    records = list(records_of(files))
    assert [r['filename'] for r in records] == ['coco/train2014/COCO_train2014_9.jpg',
                                                'gqa/images/7.jpg']
    assert all((files.images / r['filename']).is_file() for r in records)
    assert records[0]['grounding']['regions'][0]['phrase'] == 'dog'
    with pytest.raises(ValueError, match='phrases and no classes: train on it with GroundingData'):
        files.read()


def odvg(name, instances, **more):
    return dict(filename=name, height=20, width=40, detection=dict(instances=instances, **more))


def test_odvg_detection(tmp_path):
    box = [1, 2, 11, 12]
    lines(tmp_path / 'set_train_odvg.jsonl', odvg('a.jpg', [dict(bbox=box, label=1)],
                                                  negatives=[0]),
          odvg('b.jpg', [dict(bbox=box, label=0, ignore=1), dict(bbox=[1, 2, 'x', 3], label=0),
                         dict(bbox=box, label=7), 'none']),
          odvg('a.jpg', [dict(bbox=box, label=1)]), dict(filename='c.jpg'))
    with open(tmp_path / 'set_train_odvg.jsonl', 'a') as file:
        file.write('{"filename": \n')
    with gzip.open(tmp_path / 'set_val_odvg.jsonl.gz', 'wt') as file:
        file.write('\ufeff' + json.dumps(odvg('a.jpg', [dict(bbox=box, label=0)])) + '\r\n')
    (tmp_path / 'set_label_map.json').write_text('\ufeff{"0": "cat", "1": "dog"}',
                                                 encoding='utf-8')
    for name in ('train/a.jpg', 'val/a.jpg'):
        image(tmp_path / 'images' / name)
    opened = open_folder(tmp_path)
    assert (opened.format.name, list(opened.splits)) == ('odvg', ['train', 'val'])
    assert opened.classes('train') == opened.classes('val') == ('cat', 'dog')
    assert opened.splits['val'].images == tmp_path / 'images/val'
    content, report = opened.content('train'), opened.report('train')
    assert [(a['bbox'], a['category_id'], a['iscrowd']) for a in content['annotations']] == [
        ([1, 2, 10, 10], 2, 0), ([1, 2, 10, 10], 1, 1)]
    assert content['images'][0]['neg_category_ids'] == [1]
    assert report.rows_read == 5 and report.rows_written == 2
    assert report.dropped == {
        'line that is not JSON': 1, 'row of line: no content': 1,
        'row of an image that came before': 1, 'box of a row that is left out': 1,
        'box that is not four finite numbers': 1, 'box of a category that is not listed': 1,
        'entry that is no JSON object or has no id': 1}
    assert [r['filename'] for r in records_of(opened.splits['train'])] == ['a.jpg', 'b.jpg',
                                                                           'a.jpg']


def test_odvg_under_the_names_of_coco(tmp_path):
    for split in ('train', 'val'):
        lines(tmp_path / f'{split}.json', *2 * [odvg('a.jpg', [
            dict(bbox=[1, 2, 9, 9], label=0, category='cat')])])
    opened = open_folder(tmp_path)
    assert (opened.format.name, list(opened.splits)) == ('odvg', ['train', 'val'])
    assert opened.classes('val') == ('cat',)


def test_odvg_without_a_row_that_can_be_used(tmp_path):
    row = odvg('a.jpg', [dict(bbox=[1, 2, 9, 9], label=0, category='cat')])
    del row['height']
    lines(tmp_path / 'train.jsonl', row)
    with pytest.raises(ValueError, match=r"has no 'images'(?s:.*)left out: 1 x row of height: "):
        open_folder(tmp_path).content('train')


def test_odvg_with_the_label_map_of_another_file(tmp_path):
    lines(tmp_path / 'train.jsonl', odvg('a.jpg', [dict(bbox=[1, 2, 9, 9], label=0)]),
          odvg('b.jpg', [dict(bbox=[1, 2, 9, 9], label=0, category='cat')]))
    (tmp_path / 'label_map.json').write_text('{"0": "dog", "1": "cat"}')
    split = open_folder(tmp_path).splits['train']
    for use in (split.read, lambda: list(records_of(split))):
        with pytest.raises(ValueError, match="train.jsonl' line 2: .*category is 'cat', but label "
                                             "0 is 'dog'; use the label map that was written"):
            use()
    (tmp_path / 'label_map.json').write_text('{"0": "Cat", "1": "dog"}')  # spelt otherwise
    assert len(list(records_of(split))) == 2


def test_odvg_names(tmp_path):
    box = [1, 2, 11, 12]
    lines(tmp_path / 'train.jsonl', odvg('a.jpg', [dict(bbox=box, label=3, category='dog')]))
    assert open_folder(tmp_path).classes('train') == ('dog',)
    lines(tmp_path / 'train.jsonl', odvg('a.jpg', [dict(bbox=box, label=3)]))
    with pytest.raises(ValueError, match='row 0 instance 0: label 3 has no name: there is no lab'):
        open_folder(tmp_path).content('train')
    lines(tmp_path / 'train.jsonl', odvg('a.jpg', [dict(bbox=box, label=3, category='dog'),
                                                   dict(bbox=box, label=3, category='cat')]))
    with pytest.raises(ValueError, match="label 3 is that of 'dog' and 'cat'"):
        open_folder(tmp_path).content('train')


def test_odvg_grounding(tmp_path):
    row = dict(filename='a.jpg', height=20, width=40, grounding=dict(
        caption='a dog', regions=[dict(bbox=[1, 1, 9, 9], phrase='dog',
                                       tokens_positive=[[2, 5]])]))
    lines(tmp_path / 'labels_train.jsonl', row)
    lines(tmp_path / 'more_train.jsonl', row)
    lines(tmp_path / 'a.json.odvg.jsonl', row)  # a stored conversion
    opened = open_folder(tmp_path)
    assert list(opened.splits) == ['labels_train', 'more_train']
    assert list(records_of(opened.splits['more_train'])) == [row]
    with pytest.raises(ValueError, match='phrases and no classes'):
        opened.content('more_train')


def bundle(folder, name, rows, labels=True):
    for key, content in dict(label=[(k, json.dumps(v)) for k, v in rows],
                             hw=[(k, '20 40') for k, _ in rows]).items():
        (folder / f'{name}.{key}.tsv').write_text(
            ''.join('\t'.join(row) + '\r\n' for row in content))
    (folder / 'map.json').write_text('{"dog": 1, "cat": 2}')
    (folder / f'{name}.yaml').write_text(
        f'\ufefflabel: {name}.label.tsv\nhw: {name}.hw.tsv\n'
        + 'labelmap: map.json\n' * labels, encoding='utf-8')


def test_tsv(tmp_path):
    bundle(tmp_path, 'train', [('k0', [dict(rect=[1, 2, 5, 9], **{'class': 'cat'}),
                                       dict(rect=[1, 2, 5, 9], **{'class': 'cow'})])])
    image(tmp_path / 'images/k0.jpg')
    opened = open_folder(tmp_path)
    assert (opened.format.name, opened.classes('train')) == ('tsv', ('dog', 'cat'))
    assert opened.splits['train'].images == tmp_path / 'images'
    one, = opened.content('train')['annotations']
    assert (one['bbox'], one['category_id']) == ([1, 2, 5, 8], 2)
    assert opened.report('train').dropped == {'box of a class that is not in the label map': 1}
    bundle(tmp_path, 'train', [('k0', dict(caption='a dog', bboxes=[[1, 2, 5, 9]],
                                           tokens_positive=[[[2, 5]]]))], labels=False)
    files = open_folder(tmp_path).splits['train']
    assert files.holds == 'phrases'
    assert [r['grounding']['caption'] for r in records_of(files)] == ['a dog']


def test_images_in_bundles_of_the_same_keys(tmp_path):
    for name, size in (('train', (40, 20)), ('val', (20, 10))):
        bundle(tmp_path, name, [('0', [dict(rect=[1, 2, 5, 9], **{'class': 'cat'})])])
        data = io.BytesIO()
        Image.new('RGB', size).save(data, format='PNG')
        (tmp_path / f'{name}.tsv').write_text(f'0\t{base64.b64encode(data.getvalue()).decode()}\n')
        with open(tmp_path / f'{name}.yaml', 'a') as file:
            file.write(f'img: {name}.tsv\n')
    opened = open_folder(tmp_path)
    for name, size in (('train', (40, 20)), ('val', (20, 10))):
        files = unpacked(opened.splits[name], tmp_path / 'out')
        record, = records_of(files)
        assert Image.open(files.images / record['filename']).size == size
        assert files.read()[0]['images'][0]['file_name'] == record['filename']


def test_boxes_that_cannot_be_used_are_left_out_of_odvg(tmp_path):
    good = dict(bbox=[1, 1, 9, 9], label=0, category='cat')
    lines(tmp_path / 'train_od.json', dict(filename='a.jpg', height=20, width=40, detection=dict(
        instances=[good, dict(good, label=7, category='x'), dict(good, bbox=[3, 3, 3, 9])])))
    (tmp_path / 'train_od_label_map.json').write_text('{"0": "cat"}')
    image(tmp_path / 'a.jpg')
    records = records_of(next(iter(open_folder(tmp_path).splits.values())))
    record, = records
    assert record['detection']['instances'] == [good]
    assert records.report.boxes_written == 1 and records.report.boxes_read == 3
    assert records.report.dropped == {'box: unknown label': 1, 'box: degenerate box': 1}
