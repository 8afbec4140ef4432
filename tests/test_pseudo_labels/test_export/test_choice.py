"""What is exported under which name, other sources of labels, and errors."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

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
    assert collection.counts['boxes (degenerate box)'] == 1
    export_labels(collection, 'coco', tmp_path / 'coco')
    content = json.loads((tmp_path / 'coco/annotations/instances_default.json').read_text())
    boxes = content['annotations']
    assert [box['iscrowd'] for box in boxes] == [0, 0, 1] and 'score' not in boxes[0]
    export_labels(collect(path, classes=ClassList(['dog'])), 'odvg', tmp_path / 'odvg')
    row = json.loads((tmp_path / 'odvg/detection.jsonl').read_text())
    assert [one['label'] for one in row['detection']['instances']] == [3, 3]
    assert row['detection']['not_exhaustive'] == [7]  # its boxes were left out
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
    write_labels(labels, [*ROWS[:2], {**ROWS[0], 'filename': 'a/../1.png'}, ROWS[3]])
    said = message(ValueError)
    assert "goes a folder up" in said and "'1.png'" in said and 'leads out' not in said
    write_labels(labels, [*ROWS[:2], {**ROWS[0], 'filename': 'a/1\n.png'}, ROWS[3]])
    assert 'is more than one line' in message(ValueError, to='yolo')
    write_labels(labels, [{**ROWS[0], 'width': 0}] * 2)
    assert "none of the 2 rows of" in message(ValueError, to='coco')


def test_what_cannot_be_used_is_left_out_and_counted(labels, tmp_path):
    thin = json.loads(json.dumps(ROWS[0]))
    thin['grounding']['regions'][1].update(bbox=[[1, 1, 2, 2], [0, 0, 9, 9], 'x', [5, 5, 50, 50]],
                                           score=[.9, 'high', .8, .7])
    thin['grounding']['regions'][2]['tokens_positive'] = [[4, 400]]
    write_labels(labels, [thin, {**ROWS[1], 'width': 0}, ROWS[3]])
    shard = labels / 'labels/00000.jsonl'
    shard.write_text(shard.read_text() + '{"filename": "a\n' + '[' * 100_000 + '\n')
    collection = collect(labels)
    assert boxes_by_name(collection) == {'dog': 2, 'äffchen': 1}
    assert {key: n for key, n in collection.counts.items() if '(' in key} == {
        'boxes (degenerate box)': 1, 'boxes (bad score)': 1, 'boxes (malformed box)': 1,
        'boxes (span past the caption)': 1, 'rows (bad size)': 1, 'rows (not JSON)': 2}
    assert collection.counts['boxes'] == 7
    assert export_labels(collection, 'odvg', tmp_path / 'out') == (2, 3)
    row = json.loads((tmp_path / 'out/00000.jsonl').read_text())
    assert row['grounding']['regions'][1]['bbox'] == [[5, 5, 50, 50]]
    assert row['grounding']['regions'][1]['score'] == [.7]


@pytest.mark.parametrize('to', ['coco', 'yolo', 'voc', 'labelstudio', 'odvg'])
def test_files_of_odd_names_are_read_by_every_parser(labels, images, tmp_path, to):
    name = 'cat \x07\uffff\ufffe\x0b "&<'
    row = dict(DETECTION, detection=dict(instances=[
        dict(bbox=[10, 20, 30, 40], label=3, category=name)]))
    (tmp_path / 'd.jsonl').write_text(json.dumps(row))
    export_labels(collect(tmp_path / 'd.jsonl', images=images), to, tmp_path / 'out')
    for path in (tmp_path / 'out').rglob('*'):
        if path.suffix == '.xml':
            ElementTree.parse(path)
        if path.suffix == '.json':
            json.loads(path.read_text(encoding='utf-8'))
        if path.suffix == '.yaml':
            yaml.safe_load(path.read_text(encoding='utf-8'))
