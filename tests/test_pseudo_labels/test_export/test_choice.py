"""What is exported under which name, other sources of labels, and errors."""

import json
from pathlib import Path

import pytest

from glip_mm.pseudo_labels.export import ClassList, Collection, export_labels
from glip_mm.pseudo_labels.label_rows import LabelRows
from tests import forked
from tests.test_pseudo_labels.label_world import ROWS, write_labels, write_shard

ROOT = Path(__file__).parents[3]
DETECTION = dict(filename='a/1.jpg', height=120, width=200, detection=dict(instances=[
    dict(bbox=[10, 20, 30, 40], label=3, category='Dog'),
    dict(bbox=[11, 20, 30, 40], label=3, category='Dog'),
    dict(bbox=[50, 20, 90, 40], label=7, category='Cat', ignore=1),
    dict(bbox=[50, 20, 50.5, 40], label=7, category='Cat')]))


def collect(path, **options):
    return Collection(LabelRows(path), progress=False, **options)


def boxes_by_name(collection):
    return {name: n for name, n in sorted(collection.boxes_of.items())}


def test_classes_keep_and_merge(labels, tmp_path):
    classes = ClassList(['sofa', 'Dog: puppy, * puppy', 'zebra'])
    collection = collect(labels, classes=classes)
    # in the order given, the one without boxes too: numbers mean the same in every export
    assert collection.categories == ['sofa', 'dog', 'zebra']
    assert boxes_by_name(collection) == {'sofa': 1, 'dog': 3}
    assert collection.counts['of another phrase than --classes'] == 2
    path = tmp_path / 'classes.txt'
    path.write_text('sofa\n\ndog: * puppy\n')
    assert ClassList.from_arguments([str(path)]).find('a big Puppy') == 'dog'
    assert ClassList.from_arguments(['sofa', 'dog']).find('puppy') is None
    with pytest.raises(ValueError, match="'dog' comes twice"):
        ClassList(['dog', 'a dog'])
    with pytest.raises(FileNotFoundError, match='missing.txt'):
        ClassList.from_arguments(['missing.txt'])


def test_scores_and_counts(labels):
    assert boxes_by_name(collect(labels, min_score=0.6)) == {'big puppy': 1, 'dog': 1, 'sofa': 1}
    collection = collect(labels, min_count=2)
    assert collection.categories == ['dog']
    assert [len(image.boxes) for image in collection.images()] == [2]
    # one box of two phrases of a category is one; of one phrase they stay
    assert boxes_by_name(collect(labels, merge_iou=1.))['dog'] == 3
    with pytest.raises(ValueError, match='no box .* of 7 in 4 rows 7 below --min-score 0.95'):
        collect(labels, min_score=0.95)


def test_detection_rows(tmp_path):
    path = tmp_path / 'detection.jsonl'
    path.write_text(json.dumps(DETECTION) + '\n')
    collection = collect(path)
    assert boxes_by_name(collection) == {'cat': 1, 'dog': 2}  # two dogs side by side stay two
    assert collection.counts['one pixel thin or outside the image'] == 1
    export_labels(collection, 'coco', tmp_path / 'coco')
    boxes = json.loads((tmp_path / 'coco/annotations.json').read_text())['annotations']
    assert [box['iscrowd'] for box in boxes] == [0, 0, 1] and 'score' not in boxes[0]
    export_labels(collect(path, classes=ClassList(['dog'])), 'odvg', tmp_path / 'odvg')
    row = json.loads((tmp_path / 'odvg/detection.jsonl').read_text())
    assert [one['label'] for one in row['detection']['instances']] == [3, 3]
    assert json.loads((tmp_path / 'odvg/label_map.json').read_text()) == {'3': 'Dog'}
    bare = json.loads(json.dumps(DETECTION).replace(', "category": "Dog"', '').replace(
        ', "category": "Cat"', ''))
    path.write_text(json.dumps(bare) + '\n')
    with pytest.raises(ValueError, match=r'detection.jsonl:1: .*label 3 .* --label-map'):
        collect(path)
    rows = LabelRows(path, {3: 'dog', 7: 'cat'})
    assert Collection(rows, progress=False).categories == ['dog', 'cat']


@pytest.mark.parametrize('to', ['yolo', 'voc'])
def test_shards_bring_their_images(tmp_path, images, to):
    write_shard(tmp_path / 'labels/0.tar', ROWS, images)
    export_labels(collect(tmp_path), to, tmp_path / 'out')
    folder = tmp_path / 'out' / ('images' if to == 'yolo' else 'JPEGImages')
    assert (folder / '003.jpg').read_bytes() == (images / 'b/1.jpg').read_bytes()
    assert len(list(folder.iterdir())) == 4


def run(*arguments):
    return forked.run(ROOT / 'tools/analysis_tools/export_labels.py', *arguments, cwd=ROOT)


def test_tool(labels, images, tmp_path):
    done = run(labels, '--to', 'yolo', '--images', images, '--classes', 'dog: *puppy',
               '--min-score', 0.6, '--out', tmp_path / 'out')
    assert done.returncode == 0, done.stderr[-3000:]
    assert '2 images, 2 boxes of 1 categories' in done.stdout
    assert '3 below --min-score 0.6' in done.stdout
    again = run(labels, '--to', 'coco', '--out', tmp_path / 'out')
    assert again.returncode == 1 and 'is there already' in again.stderr
    assert 'Traceback' not in again.stderr


def test_errors_say_where(labels, images, tmp_path):
    def message(error, path=labels, to='voc', images=images):
        with pytest.raises(error) as found:
            export_labels(collect(path, images=images), to, tmp_path / 'out')
        # nothing half done is left behind
        assert not (tmp_path / 'out').exists() and not list(tmp_path.glob('.out*'))
        return str(found.value)

    assert f"'{tmp_path / 'no'}' is missing" in message(FileNotFoundError, tmp_path / 'no')
    (tmp_path / 'empty').mkdir()
    assert 'holds no .jsonl' in message(FileNotFoundError, tmp_path / 'empty')
    assert '--images is needed' in message(ValueError, images=None)
    assert '--images or --image-url' in message(ValueError, to='labelstudio', images=None)
    assert "nowhere' is no folder" in message(ValueError, images=tmp_path / 'nowhere')
    (images / 'a/2.jpg').unlink()
    assert f"00000.jsonl:2: the image '{images}/a/2.jpg' is missing" in message(ValueError)
    write_labels(labels, [*ROWS[:2], {**ROWS[0], 'filename': 'a/1.png'}, ROWS[3]])
    (images / 'a/2.jpg').touch()
    assert "00000.jsonl:3: 'a/1.png' would share a label file with 'a/1.jpg'" in message(ValueError)
    write_labels(labels, [*ROWS[:2], {**ROWS[0], 'filename': '../1.png'}, ROWS[3]])
    assert 'leads out of the folder' in message(ValueError)
    shard = labels / 'labels/00000.jsonl'
    shard.write_text(shard.read_text() + '{"filename": "a')
    assert '00000.jsonl:4: not JSON' in message(ValueError)
    write_labels(labels, [ROWS[0], {**ROWS[1], 'width': 0}, ROWS[3]])
    assert '00000.jsonl:2: bad size: width' in message(ValueError)
