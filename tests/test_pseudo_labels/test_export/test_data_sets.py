"""Data sets of class names: all images, in splits, with their images, read as they are."""

import json

import pytest

from glip_mm.datasets.formats import open_folder
from glip_mm.pseudo_labels.export import Collection, export_labels
from glip_mm.pseudo_labels.label_rows import LabelRows
from tests.test_pseudo_labels.label_world import ROWS, write_labels, write_shard

NAMES = ['Cup', 'coffee maker', 'mug']


@pytest.fixture
def run(images, tmp_path):
    """Folder of a run that looked for names, and found nothing in its third image."""
    rows = [dict(filename=row['filename'], height=row['height'], width=row['width'],
                 detection=dict(instances=[
                     dict(bbox=[5, 6, 25 + i, 36], label=label, category=NAMES[label], score=0.7)
                     for label in (1, 0)[i % 2:]] if i != 2 else []))
            for i, row in enumerate(ROWS)]
    folder = write_labels(tmp_path / 'named', rows)
    (folder / 'label_map.json').write_text(json.dumps(dict(enumerate(NAMES))))
    return folder


def collect(run, images, **options):
    return Collection(LabelRows(run), images, keep_empty=True, progress=False, **options)


def found_in(folder):
    """Names of images, and boxes by name, in all splits."""
    opened = open_folder(folder)
    images, boxes = {}, []
    for split in opened.splits:
        content = opened.content(split)
        names = {row['id']: row['name'] for row in content['categories']}
        files = {row['id']: row['file_name'] for row in content['images']}
        images[split] = sorted(name.removeprefix('images/').removeprefix('JPEGImages/')
                               for name in files.values())
        assert all((opened.splits[split].images / name).is_file() for name in files.values())
        boxes += [(names[one['category_id']], *one['bbox']) for one in content['annotations']]
        if opened.format.name != 'voc':  # which has no list of classes that is read
            assert list(opened.classes(split)) == NAMES
    return images, sorted(boxes)


BOXES = sorted([('coffee maker', 5, 6, 20, 30), ('Cup', 5, 6, 20, 30), ('Cup', 5, 6, 21, 30),
                ('Cup', 5, 6, 23, 30)])


@pytest.mark.parametrize('to', ['coco', 'yolo', 'voc', 'odvg'])
@pytest.mark.parametrize('images_as', ['link', 'copy'])
def test_all_images_in_two_splits(run, images, tmp_path, to, images_as):
    collection = collect(run, images, val=0.25, images_as=images_as)
    assert collection.categories == NAMES and collection.images_of == dict(train=3, val=1)
    assert export_labels(collection, to, tmp_path / 'out') == (4, 4)
    names, boxes = found_in(tmp_path / 'out')
    assert sorted(names['train'] + names['val']) == [row['filename'] for row in ROWS]
    assert len(names['val']) == 1
    assert [(name, *map(pytest.approx, box)) for name, *box in boxes] == BOXES
    folder = tmp_path / 'out' / ('JPEGImages' if to == 'voc' else 'images')
    assert folder.is_symlink() == (images_as == 'link')


def test_a_split_depends_on_names_alone(run, images):
    def val(**options):
        collection = collect(run, images, **options)
        return {image.name for image in collection.images() if image.split == 'val'}
    assert val(val=0.25) < val(val=0.5) and len(val(val=0.5)) == 2
    assert len({frozenset(val(val=0.5, seed=seed)) for seed in range(9)}) > 1
    assert len(val(val=0.001)) == 1 and len(val(val=0.999)) == 3  # neither split is empty


def test_shards_of_names(run, images, tmp_path):
    rows = [json.loads(line) for path in sorted((run / 'labels').glob('*.jsonl'))
            for line in path.read_text().splitlines()]
    write_shard(tmp_path / 'tars/labels/0.tar', rows, images)
    (tmp_path / 'tars/label_map.json').write_bytes((run / 'label_map.json').read_bytes())
    export_labels(collect(tmp_path / 'tars', None, images_as='copy'), 'coco', tmp_path / 'out')
    names, boxes = found_in(tmp_path / 'out')
    assert names == {'': ['000.jpg', '001.jpg', '002.jpg', '003.jpg']} and boxes == BOXES


def test_label_studio_and_back(run, images, tmp_path):
    """Predictions are accepted, one is moved, and the export of the tool is read."""
    export_labels(collect(run, images, images_as='copy', val=0.25), 'labelstudio', tmp_path / 'out')
    tasks = json.loads((tmp_path / 'out/tasks.json').read_text())
    assert len(tasks) == 4 and tasks[2]['predictions'][0]['result'] == []
    assert {task['data']['split'] for task in tasks} == {'train', 'val'}
    assert all((tmp_path / 'out' / task['data']['image'].partition('?d=')[2]).is_file()
               for task in tasks)
    tasks[0]['predictions'][0]['result'][0]['value']['width'] = 50.
    exported = [dict(id=i, data=task['data'], predictions=[], total_annotations=1, annotations=[
        dict(id=i, was_cancelled=False, result=[
            {**one, 'origin': 'prediction'} for one in task['predictions'][0]['result']])])
        for i, task in enumerate(tasks)]
    (tmp_path / 'out/tasks.json').unlink()
    (tmp_path / 'out/project-1.json').write_text(json.dumps(exported))
    content = open_folder(tmp_path / 'out').content('')
    assert len(content['images']) == 4 and len(content['annotations']) == 4
    assert content['annotations'][0]['bbox'] == pytest.approx([5, 6, 100, 30])


def test_formats_that_need_images(run, images, tmp_path):
    with pytest.raises(ValueError, match='--images-as none: label files lie where'):
        export_labels(collect(run, images, images_as='none'), 'yolo', tmp_path / 'out')
    with pytest.raises(ValueError, match='--val 0.5 cannot divide 1 images'):
        write_labels(run, json.loads(json.dumps([ROWS[0]])))
        (run / 'labels/00000.jsonl').unlink()
        collect(run, images, val=0.5)
