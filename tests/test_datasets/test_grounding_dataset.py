import base64
import io
import json
import os
import tarfile

import numpy as np
import pytest
from mmengine.logging import MMLogger
from PIL import Image
from torch.utils.data import DataLoader

from glip_mm.datasets import BadSample, GroundingDataset, LoadImage
from glip_mm.datasets.storage.sources import expand_braces
from glip_mm.datasets.transforms import PackCaptions

LABELS = {'0': 'cat', '3': 'dog'}


def jpeg(width, height, value=100):
    stream = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), value, np.uint8)).save(stream, 'png')
    return stream.getvalue()


def detection(name, width=20, height=10, boxes=((1, 2, 9, 8), )):
    return dict(filename=name, width=width, height=height, detection=dict(instances=[
        dict(bbox=list(box), label=3, category='dog') for box in boxes]))


def grounding(name, caption='a dog on a mat', **region):
    return dict(filename=name, width=20, height=10, grounding=dict(caption=caption, regions=[
        dict(bbox=[[1, 2, 9, 8], [2, 2, 9, 8]], phrase='a dog', tokens_positive=[[0, 5]], **region),
        dict(bbox=[1, 2, 9, 8], phrase='a mat', tokens_positive=[[9, 14]])]))


def write(folder, rows, labels=LABELS):
    (folder / 'a.jsonl').write_text(''.join(
        (row if isinstance(row, str) else json.dumps(row)) + '\n' for row in rows))
    (folder / 'labels.json').write_text(json.dumps(labels))
    for i, row in enumerate(rows):
        if isinstance(row, dict):
            (folder / row['filename']).write_bytes(jpeg(row['width'], row['height'], i))


def open_data(folder, labels=True, **options):
    options = {**dict(ann_file='a.jsonl', pipeline=[LoadImage()]), **options}
    if labels:
        options['label_map_file'] = 'labels.json'
    return GroundingDataset(data_root=str(folder), **options)


def test_detection_looks_like_mmdetections(tmp_path):
    write(tmp_path, [detection('0.png'), detection('1.png', 10, 30)])
    data = open_data(tmp_path)
    info = data.get_data_info(1)
    assert info['text'] == {0: 'cat', 3: 'dog'} and info['dataset_mode'] == 'OD'
    assert info['instances'] == [dict(bbox=[1, 2, 9, 8], bbox_label=3, ignore_flag=0)]
    assert data[1]['img'].shape == (30, 10, 3) and data[1]['img'].max() == 1
    assert [side.tolist() for side in data.sizes([1, 0])] == [[10, 20], [30, 10]]
    assert data.metainfo['classes'] == ('cat', 'dog')
    assert data.where(1).endswith('a.jsonl:2')
    assert data.get_cat_ids(0) == [3]


def test_grounding_has_phrases_scores_and_other_captions(tmp_path):
    write(tmp_path, [grounding('0.png', score=[.9, .8]), grounding('1.png', 'a dog by a car')])
    data = open_data(tmp_path, labels=False)
    info = data.get_data_info(0)
    assert info['text'] == 'a dog on a mat' and info['dataset_mode'] == 'VG'
    assert [i['bbox_label'] for i in info['instances']] == [0, 0, 1]
    assert [i.get('score') for i in info['instances']] == [.9, .8, None]
    assert info['phrases'][1] == dict(phrase='a mat', tokens_positive=[[9, 14]])
    (tmp_path / '1.png').unlink()  # no image is read for a caption
    rng = np.random.RandomState(0)
    assert {info['other_caption'](rng) for _ in range(20)} == {'a dog on a mat', 'a dog by a car'}


def test_lines_in_between_may_be_empty(tmp_path):
    write(tmp_path, [detection('0.png'), '', detection('1.png')])
    data = open_data(tmp_path)
    assert len(data) == 2 and data.where(1).endswith(':3')
    assert data.get_data_info(1)['img_path'].endswith('1.png')


def test_images_without_boxes_stay_or_go(tmp_path):
    thin = [[1, 2, 2, 8], [1, 2, 9, 2.5]]
    empty = [detection('0.png', boxes=()), detection('2.png', boxes=thin)]
    write(tmp_path, [empty[0], detection('1.png'), empty[1]])
    assert len(open_data(tmp_path)) == 3
    chosen = open_data(tmp_path, filter_cfg=dict(filter_empty_gt=True))
    assert len(chosen) == 1
    assert chosen.get_data_info(0)['img_path'].endswith('1.png')
    assert chosen.where(0).endswith(':2')
    write(tmp_path, [detection('0.png'), detection('1.png')])
    assert len(open_data(tmp_path, filter_cfg=dict(filter_empty_gt=True))) == 2


def test_containers_are_read_through_their_converter(tmp_path):
    (tmp_path / 'c.json').write_text(json.dumps(dict(
        images=[dict(id=7, file_name='0.png', width=20, height=10)],
        annotations=[dict(id=1, image_id=7, category_id=5, bbox=[1, 2, 8, 6], iscrowd=0, area=48)],
        categories=[dict(id=5, name='dog')])))
    (tmp_path / '0.png').write_bytes(jpeg(20, 10))
    for _ in range(2):
        data = open_data(tmp_path, labels=False, ann_file='c.json', format='coco')
        info = data.get_data_info(0)
        assert info['img_id'] == 7 and info['instances'][0]['bbox'] == [1, 2, 9, 8]
        assert info['text'][info['instances'][0]['bbox_label']] == 'dog'


def test_shards_are_read_in_place(tmp_path):
    for shard in range(2):
        with tarfile.open(tmp_path / f'{shard:05d}.tar', 'w') as file:
            for i in range(3):
                record = grounding(f'{i}.png', f'a dog on a mat {shard}{i}')
                if i == 2:
                    del record['grounding']  # nothing was found in this image
                for suffix, content in dict(json=json.dumps(record).encode(),
                                            png=jpeg(20, 10, 10 * shard + i), txt=b'').items():
                    info = tarfile.TarInfo(f'./{shard:05d}{i:04d}.{suffix}')
                    info.size = len(content)
                    file.addfile(info, io.BytesIO(content))
    for pattern in ('{00000..00001}.tar', '*.tar'):
        data = open_data(tmp_path, labels=False, ann_file=pattern, format='tar')
        assert [data.caption(i) for i in range(len(data))] == [
            f'a dog on a mat {shard}{i}' for shard in range(2) for i in range(2)]
        assert [int(data[i]['img'].max()) for i in range(4)] == [0, 1, 10, 11]


def write_bundle(folder):
    images = {key: jpeg(20, 10, i) for i, key in enumerate(('k0', 'k1'), 5)}
    objects = json.dumps([{'rect': [1, 2, 8, 7], 'class': 'dog'}])
    caption = json.dumps(dict(caption='a dog', bboxes=[[1, 2, 8, 7]], tokens_positive=[[[0, 5]]],
                              scores=[.9]))
    files = {
        'img.tsv': [(key, base64.b64encode(image).decode()) for key, image in images.items()],
        'det.tsv': [('k0', objects), ('k1', objects), ('gone', objects)],
        'cap.tsv': [('k0', caption), ('k1', caption)], 'lines.tsv': [('1', ), ('2', ), ('0', ),
                                                                     ('1', )]}
    for name, rows in files.items():
        (folder / name).write_text(''.join('\t'.join(row) + '\n' for row in rows))
    (folder / 'map.json').write_text(json.dumps({'dog': 2, 'cat': 1, '__background__': 0}))
    (folder / 'det.yaml').write_text('img: img.tsv\nlabel: det.tsv\nlabelmap: map.json\n'
                                     'linelist: lines.tsv\n')
    (folder / 'cap.yaml').write_text('img: img.tsv\nlabel: cap.tsv\n')


def test_tsv_bundles_are_read_in_place(tmp_path):
    write_bundle(tmp_path)
    data = open_data(tmp_path, labels=False, ann_file='det.yaml', format='tsv')
    # the line list repeats the second row; the third has no image
    assert [int(data[i]['img'].max()) for i in range(len(data))] == [6, 5, 6]
    info = data.get_data_info(0)
    assert info['img_path'] == f'{tmp_path}/img.tsv/k1.jpg' and info['text'] == {0: 'cat', 1: 'dog'}
    assert info['instances'] == [dict(bbox=[1, 2, 9, 8], bbox_label=1, ignore_flag=0)]
    assert [side.tolist() for side in data.sizes([0, 1])] == [[20, 20], [10, 10]]
    captions = open_data(tmp_path, labels=False, ann_file='cap.yaml', format='tsv')
    assert captions.caption(1) == 'a dog' and int(captions[1]['img'].max()) == 6
    assert captions.get_data_info(0)['instances'][0]['score'] == .9
    assert not list(tmp_path.glob('*.jpg'))


def test_a_changed_file_of_a_bundle_is_read_anew(tmp_path):
    write_bundle(tmp_path)
    open_data(tmp_path, labels=False, ann_file='det.yaml', format='tsv')[0]
    (tmp_path / 'lines.tsv').write_text('0\n')
    assert len(open_data(tmp_path, labels=False, ann_file='det.yaml', format='tsv')) == 1


def test_a_broken_image_of_a_bundle_is_named(tmp_path):
    write_bundle(tmp_path)
    text = (tmp_path / 'img.tsv').read_text()
    (tmp_path / 'img.tsv').write_text(text.replace('\tiVBOR', '\t-----', 1)
                                      if '\tiVBOR' in text else text.replace('\t/9j/', '\t-9j/', 1))
    (tmp_path / 'hw.tsv').write_text('k0\t10 20\nk1\t10 20\ngone\t10 20\n')
    with open(tmp_path / 'det.yaml', 'a') as file:
        file.write('hw: hw.tsv\n')
    data = open_data(tmp_path, labels=False, ann_file='det.yaml', format='tsv', on_bad='stop')
    with pytest.raises(BadSample, match=r'det.yaml-\w+.odvg.jsonl:2.*img.tsv/k0.jpg'):
        data[1]


def test_braces():
    assert expand_braces('a{08..10}.tar') == ['a08.tar', 'a09.tar', 'a10.tar']
    assert expand_braces('{0..1}/{0..1}') == ['0/0', '0/1', '1/0', '1/1']


BAD = {
    'not JSON': '{"filename": ',
    'span past the caption': grounding('b.png', 'a dog'),
    'box outside the image': detection('b.png', boxes=[(100, 100, 120, 120)]),
    'unknown label': dict(detection('b.png'), detection=dict(instances=[
        dict(bbox=[1, 2, 9, 8], label=9)])),
    'wrong type': dict(detection('b.png'), detection=dict(instances='none'))}


@pytest.mark.parametrize('cause', BAD)
def test_strict_mode_stops_at_file_and_line(cause, tmp_path):
    write(tmp_path, [detection('0.png'), BAD[cause]])
    with pytest.raises(BadSample, match=r'a\.jsonl:2') as error:
        open_data(tmp_path, on_bad='stop')[1]
    assert error.value.cause == cause


@pytest.mark.parametrize('cause', ['not JSON', 'wrong type'])
def test_tolerant_mode_replaces_the_same_way_and_counts(cause, tmp_path):
    write(tmp_path, [*(detection(f'{i}.png') for i in range(5)), BAD[cause]])
    first, second = open_data(tmp_path), open_data(tmp_path)
    assert first[5]['img'].max() == second[5]['img'].max() < 5
    assert first.counter.causes == {cause: 1}


@pytest.mark.parametrize('cause', ['span past the caption', 'box outside the image',
                                   'unknown label'])
def test_a_faulty_box_costs_the_box_and_not_the_image(cause, tmp_path):
    write(tmp_path, [detection('0.png'), BAD[cause]])
    data = open_data(tmp_path)
    info = data.get_data_info(1)
    # of the two regions only that of the first two boxes ends in the caption
    assert [i['bbox_label'] for i in info['instances']] == [0, 0] * (cause[:4] == 'span')
    assert data[1]['img_path'].endswith('b.png') and data.counter.causes == {}
    assert data.dropped_boxes.causes == {cause: 2}  # read twice


def test_what_lost_its_boxes_is_no_negative(tmp_path):
    thin = [1, 1, 2, 8]
    row = detection('0.png', boxes=[(1, 2, 9, 8), thin])
    row['detection']['instances'][0]['label'] = 0
    del row['detection']['instances'][0]['category']
    caption = grounding('1.png')
    caption['grounding']['regions'][1]['bbox'] = thin
    caption['grounding']['regions'].append(dict(bbox=[1, 2, 9, 8], phrase='x',
                                                tokens_positive=[[8, 99]]))
    write(tmp_path, [row, caption])
    data = open_data(tmp_path, filter_cfg=dict(filter_empty_gt=True))
    info = data.get_data_info(0)
    assert [i['bbox_label'] for i in info['instances']] == [0] and info['not_exhaustive'] == [3]
    info = data.get_data_info(1)
    assert list(info['phrases']) == [0] and info['num_without_box'] == 2


def test_an_image_whose_boxes_all_go_is_rejected_where_empty_ones_are(tmp_path):
    write(tmp_path, [detection('0.png'), detection('1.png', boxes=[(30, 2, 39, 8)])])
    assert open_data(tmp_path)[1]['img'].max() == 1
    data = open_data(tmp_path, filter_cfg=dict(filter_empty_gt=True))
    assert data[1]['img'].max() == 0 and data.counter.causes == {}


def test_two_percent_of_thin_boxes_do_not_end_a_training_and_most_do(tmp_path):
    write(tmp_path, [detection('0.png', boxes=[(1, 2, 9, 8)] * 49 + [(1, 2, 2, 8)]),
                     detection('1.png', boxes=[(1, 2, 2, 8)] * 9 + [(1, 2, 9, 8)])])
    data = open_data(tmp_path)
    for _ in range(30):
        data[0]
    assert str(data.dropped_boxes) == '30 of 1500 boxes left out (degenerate box: 30)'
    with pytest.raises(RuntimeError, match=r'boxes left out .*degenerate box: \d+.* half of all'):
        for _ in range(400):
            data[1]


class Step:
    """A transform that fails for some samples."""

    def __init__(self, fails, error):
        self.fails, self.error = fails, error

    def __call__(self, results):
        if self.fails(results['sample_idx']):
            raise self.error
        return results


def test_any_error_of_a_transform_is_replaced_and_counted_by_its_class(tmp_path, monkeypatch):
    write(tmp_path, [detection(f'{i}.png') for i in range(4)])
    logged = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'warning', logged.append)
    data = open_data(tmp_path, pipeline=[Step({1, 3}.__contains__, ZeroDivisionError('by me'))])
    assert data[1]['sample_idx'] in (0, 2) and data[3]['sample_idx'] in (0, 2)
    causes = data.counter.causes
    assert list(causes) == ['ZeroDivisionError'] and causes['ZeroDivisionError'] >= 2
    assert 'a.jsonl:2: ZeroDivisionError: by me' in logged[0]
    # the traceback stands in the log once
    assert sum('Traceback' in text and 'raise self.error' in text for text in logged) == 1
    data.counter.patience, data.counter.max_bad = 1, 0.1
    with pytest.raises(RuntimeError, match=r'ZeroDivisionError: \d+\), more than max_bad=0.1'):
        data[1]


def test_an_error_of_every_sample_is_raised_at_once(tmp_path):
    write(tmp_path, [detection(f'{i}.png') for i in range(4)])
    data = open_data(tmp_path, pipeline=[Step(lambda i: True, KeyError('gt_bboxes'))])
    with pytest.raises(KeyError, match='gt_bboxes'):
        data[0]
    assert data.counter.read == 10


@pytest.mark.parametrize('error', [
    KeyboardInterrupt(), MemoryError(), RuntimeError('DataLoader worker (pid 7) is killed')])
def test_what_is_not_about_a_sample_passes(error, tmp_path):
    write(tmp_path, [detection(f'{i}.png') for i in range(4)])
    data = open_data(tmp_path, pipeline=[Step((1).__eq__, error)])
    data[0]
    with pytest.raises(type(error)):
        data[1]


def test_strict_mode_lets_errors_of_transforms_pass(tmp_path):
    write(tmp_path, [detection('0.png')])
    data = open_data(tmp_path, on_bad='stop', pipeline=[Step(lambda i: True, KeyError('x'))])
    with pytest.raises(KeyError):
        data[0]


def test_companions_without_a_caption_are_drawn_anew(tmp_path):
    write(tmp_path, [grounding('0.png'), detection('1.png'), '{"filename": ',
                     grounding('2.png', caption=' ')])
    data = open_data(tmp_path, pipeline=[PackCaptions(num_negatives=3, full_prob=-1)])
    np.random.seed(0)
    assert data[0]['text'].count('a dog on a mat') == 4
    assert data.counter.causes.keys() == {'not JSON', 'wrong type'}


def test_a_file_without_any_caption_for_a_companion(tmp_path):
    write(tmp_path, [detection('0.png')])
    with pytest.raises(BadSample, match='100 rows in a row have none'):
        open_data(tmp_path)._other_caption(np.random)


def test_workers_count_together(tmp_path):
    write(tmp_path, [detection(f'{i}.png', boxes=[(1, 2, 9, 8), (1, 2, 2, 8)]) for i in range(8)])
    (tmp_path / '3.png').unlink()
    data = open_data(tmp_path)
    for _ in DataLoader(data, batch_size=None, num_workers=2, collate_fn=len):
        pass
    assert data.counter.causes['missing image'] >= 1
    assert data.dropped_boxes.causes['degenerate box'] >= 8


def test_images_that_are_no_files_are_not_waited_for(tmp_path):
    write(tmp_path, [detection('0.png')])
    (tmp_path / '0.png').unlink()
    os.mkfifo(tmp_path / '0.png')
    with pytest.raises(BadSample, match='no regular file'):
        open_data(tmp_path, data_prefix=dict(img=''), on_bad='stop', pipeline=[LoadImage()])[0]


def test_detection_data_need_a_label_map(tmp_path):
    write(tmp_path, ['{"filename', detection('0.png')])
    with pytest.raises(ValueError, match=r'a.jsonl:2: detection data need label_map_file'):
        open_data(tmp_path, labels=False)
    # a later row, in data that are captions otherwise
    write(tmp_path, [grounding('0.png'), detection('1.png')])
    data = open_data(tmp_path, labels=False)
    assert data[1]['text'] == 'a dog on a mat' and data.counter.causes == {'no label map': 1}


def test_broken_and_missing_images_are_told_apart(tmp_path):
    write(tmp_path, [detection(f'{i}.png') for i in range(4)])
    (tmp_path / '0.png').unlink()
    (tmp_path / '1.png').write_bytes(jpeg(20, 10)[:30])
    data = open_data(tmp_path)
    data[0], data[1], data[2]
    causes = data.counter.causes
    assert causes['missing image'] >= 1 and causes['broken image'] >= 1


def test_too_many_bad_samples_end_it(tmp_path):
    write(tmp_path, [detection(f'{i}.png') for i in range(8)])
    (tmp_path / '0.png').unlink()
    data = open_data(tmp_path, max_bad=0.1)
    data.counter.patience = 10
    with pytest.raises(RuntimeError, match=r'missing image: \d+\), more than max_bad=0.1'):
        for _ in range(10):
            data[0]


def test_rejected_samples_are_replaced_and_not_counted(tmp_path):
    write(tmp_path, [detection('0.png'), detection('1.png')])
    data = open_data(tmp_path)
    data.pipeline = lambda info: None if info['sample_idx'] == 0 else info['sample_idx']
    assert data[0] == 1 and data.counter.causes == {}
    data.pipeline = lambda info: None
    with pytest.raises(RuntimeError, match='100 samples in a row'):
        data[0]


@pytest.mark.parametrize('options, error, message', [
    (dict(ann_file='no.jsonl'), FileNotFoundError, 'no.jsonl'),
    (dict(format='xml'), ValueError, "format='xml' is none of folder, odvg, tar"),
    (dict(label_map_file='no.json'), FileNotFoundError, 'label_map_file'),
    (dict(on_bad='ignore'), ValueError, 'on_bad'),
    (dict(filter_cfg=dict(min_size=3)), ValueError, 'min_size')])
def test_wrong_arguments_are_named(options, error, message, tmp_path):
    write(tmp_path, [detection('0.png')])
    with pytest.raises(error, match=message):
        GroundingDataset(**{**dict(ann_file='a.jsonl', data_root=str(tmp_path)), **options})
