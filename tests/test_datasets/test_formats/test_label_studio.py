"""Label Studio: tasks of both exports, URLs of images, and shapes of regions."""

import json

import pytest

from glip_mm.datasets.formats import label_studio
from glip_mm.datasets.formats.image_annotations import NOT_FOUND, OUTLINE, ROTATED

BOX = dict(x=10, y=20, width=30, height=40, rotation=0)
CAT = [('cat', [10, 10, 30, 20])]


def region(kind='rectanglelabels', labels=('cat',), **value):
    return dict(id=str(value), type=kind, from_name='label', to_name='image', original_width=100,
                original_height=50, value={**(value or BOX), kind: list(labels)})


def task(*results, image='/data/upload/1/0a1b2c3d-a.jpg', **more):
    return dict(id=7, data=dict(image=image), annotations=[
        dict(result=result) for result in results], predictions=[dict(result=[region()])], **more)


def export(tree, *tasks, **files):
    return tree({'project-1.json': json.dumps(list(tasks)), 'images/a.jpg': None, **files})


@pytest.mark.parametrize('image', [
    '/data/upload/1/0a1b2c3d-a.jpg', '/data/local-files/?d=photos/images/a.jpg',
    '/data/local-files/?d=C%3A%5Cphotos%5Ca.jpg', 's3://bucket/x/a.jpg',
    'https://host/x/a.jpg?token=1', 'images/a.jpg', 'C:\\x\\a.jpg', '../../a.jpg'])
def test_urls(tree, read, image):
    folder = export(tree, task([region()], image=image))
    assert label_studio.FORMAT.sniff(folder).confidence == 1
    for path in (folder, folder / 'project-1.json'):
        assert read(label_studio, path)[''][0] == {'images/a.jpg': CAT}


def test_names_with_prefix_spaces_and_folders(tree, read):
    folder = export(tree, task([region()], image='/data/upload/0a1b2c3d-a%20b.jpg'),
                    task([], image='/data/local-files/?d=two/c%2Bd.jpg'),
                    task([], image='data:image/png;base64,AAAA', file_upload='x.jpg'),
                    **{'0a1b2c3d-a b.jpg': None, 'one/c+d.jpg': None, 'two/c+d.jpg': None})
    boxes, report = read(label_studio, folder)['']
    assert boxes == {'0a1b2c3d-a b.jpg': CAT, 'two/c+d.jpg': []}
    assert report.dropped == {NOT_FOUND: 1}


@pytest.mark.parametrize('made, found, cause', [
    (region(labels=('cat', 'dog')), [*CAT, ('dog', CAT[0][1])], ''),
    # 20 x 20 pixels turned by 90 degrees around the upper left corner
    (region(x=50, y=20, width=20, height=40, rotation=90), [('cat', [30, 10, 20, 20])], ROTATED),
    (region('polygonlabels', points=[[10, 20], [40, 20], [40, 60]]), CAT, OUTLINE),
    (region('ellipselabels', x=25, y=40, radiusX=15, radiusY=20), CAT, OUTLINE),
    (region('brushlabels', rle=[1, 2, 3], format='rle'), [], label_studio.BRUSH),
    (region(labels=()), [], label_studio.UNLABELLED),
    (region(x=None, y=0, width=1, height=1), [], label_studio.MALFORMED),
    (region('choices', labels=['good']) | dict(value=dict(choices=['good'])), [], '')])
def test_regions(tree, read, made, found, cause):
    folder = export(tree, task([made]), task([region()], image='b.jpg'), **{'b.jpg': None})
    boxes, report = read(label_studio, folder)['']
    assert boxes == {'images/a.jpg': [(name, pytest.approx(box)) for name, box in found],
                     'b.jpg': CAT}
    assert report.dropped | report.changed == ({cause: 1} if cause else {})


def test_label_beside_its_rectangle(tree, read):
    place = dict(id='r', original_width=100, original_height=50)
    folder = export(tree, task([dict(place, type='rectangle', value=BOX),
                                dict(place, type='labels', value=dict(BOX, labels=['cat']))]))
    assert read(label_studio, folder)[''][0] == {'images/a.jpg': CAT}


def test_states_of_tasks(tree, read):
    cancelled = task([region()], image='b.jpg')
    cancelled['annotations'][0]['was_cancelled'] = True
    folder = export(tree, task([region()], [region(labels=['dog'])]), cancelled,
                    task(image='c.jpg'), task([], image='d.jpg'), 'no task', dict(id=1),
                    **{f'{name}.jpg': None for name in 'bcd'})
    boxes, report = read(label_studio, folder)['']
    assert boxes == {'images/a.jpg': CAT, 'd.jpg': []}
    assert report.changed == {label_studio.SEVERAL: 1}
    assert report.dropped == {label_studio.UNFINISHED: 2, label_studio.NO_TASK: 2}
    assert (report.rows_read, report.rows_written) == (6, 2)


def test_tasks_with_predictions_alone(tree, read):
    folder = export(tree, dict(task(region()), annotations=[], predictions=[dict(result=[])]))
    with pytest.raises(ValueError, match='names no class(?s:.*)1 x task without a finished'):
        read(label_studio, folder)


def test_json_min(tree, read):
    entry = dict(image='/data/upload/1/0a1b2c3d-a.jpg', id=3, annotator=1, annotation_id=9,
                 lead_time=1.5, created_at='2024', label=[
                     dict(BOX, rectanglelabels=['cat'], original_width=100, original_height=50)])
    folder = export(tree, entry, entry | dict(annotation_id=10, annotator=2))
    boxes, report = read(label_studio, folder)['']
    assert boxes == {'images/a.jpg': CAT}
    assert report.changed == {label_studio.SEVERAL: 1}


def test_size_from_the_image(tree, read):
    made = region()
    del made['original_width']
    assert read(label_studio, export(tree, task([made])))[''][0] == {'images/a.jpg': CAT}


def test_files_named_after_splits(tree, read):
    files = {f'{name}.json': json.dumps([task([region(labels=[name])], image=f'{name}.jpg')])
             for name in ('train', 'val')}
    folder = tree({**files, 'train.jpg': None, 'val.jpg': None})
    first, second = label_studio.FORMAT.splits(folder)
    assert (first.name, second.name) == ('train', 'val')
    assert first.read()[0]['categories'] == second.read()[0]['categories'] == [
        dict(id=1, name='train'), dict(id=2, name='val')]


@pytest.mark.parametrize('broken', [
    dict(annotations=1), dict(annotations=[dict(result=1)]), dict(annotations=[1]), dict(data=[])])
def test_broken_tasks_are_counted(tree, read, broken):
    folder = export(tree, task([region()]), task([region()]) | broken)
    boxes, report = read(label_studio, folder)['']
    assert boxes == {'images/a.jpg': CAT} and sum(report.dropped.values()) == 1


@pytest.mark.parametrize('text, message', [
    ('[\n{"data": {}, "annotations": [{"result": 1}],\n', 'line 3'),
    ('"annotation_id" "lead_time"', 'is no')])
def test_broken_files(tree, text, message):
    with pytest.raises(ValueError, match=message):
        label_studio.FORMAT.splits(tree({'x.json': text}))


@pytest.mark.parametrize('text', [
    '{"images": [], "annotations": [], "categories": []}', '{"shapes": []}', '[]'])
def test_other_json(tree, text):
    assert label_studio.FORMAT.sniff(tree({'x.json': text})) is None
