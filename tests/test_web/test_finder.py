"""From a picture and words to boxes, a table and files, without Gradio."""

import json
from dataclasses import replace
from zipfile import ZipFile

import numpy as np
import pytest

from glip_mm.apis import Thresholds
from glip_mm.web import Example, quickstart_examples, read_prompt

from .conftest import encoded


def test_names_become_boxes_a_table_and_files(finder, photo):
    found = finder.find(photo, 'names', 'cat. dog')
    assert len(found.result) > 3 and found.result.prompt.names == ['cat', 'dog']
    answer = finder.show(found, 0, 3)
    best = found.result.select(top_k=3)
    assert [row[0] for row in answer.rows] == best.names
    x1, y1, x2, y2 = best.boxes[0].tolist()
    np.testing.assert_allclose(answer.rows[0][1:], [best.scores[0], x1, y1, x2 - x1, y2 - y1],
                               atol=.06)
    assert answer.picture.shape[1] == 320 and answer.picture.shape[0] > 240  # and a caption
    assert answer.summary.endswith('in 1 image')
    content = json.loads(answer.coco.read_text())
    assert content['images'][0]['file_name'] == 'my photo.jpg'
    assert [c['name'] for c in content['categories']] == ['cat', 'dog']
    assert len(content['annotations']) == 3
    with ZipFile(answer.yolo) as archive:
        assert set(archive.namelist()) == {'data.yaml', 'train.txt', 'labels/my photo.txt',
                                           'images/my photo.jpg'}
        lines = archive.read('labels/my photo.txt').decode().split('\n')[:-1]
        assert archive.read('images/my photo.jpg') == found.content
    assert len(lines) == 3
    centre = [float(v) for v in lines[0].split()[1:3]]
    np.testing.assert_allclose(centre, [(x1 + x2) / 320, (y1 + y2) / 240], atol=1e-4)


def test_files_are_those_of_the_last_answer(finder, photo):
    found = finder.find(photo, 'names', 'cat')
    first = finder.show(found, 0, 3)
    finder.show(replace_name(found, 'other.jpg'), 0, 3)
    assert not first.coco.exists()
    assert sorted(p.name for p in finder.folder.iterdir()) == [
        'other.coco.json', 'other.yolo.zip', 'work']


def replace_name(found, name):
    return found._replace(result=replace(found.result, path=name))


def test_nothing_above_the_threshold(finder, photo):
    answer = finder.show(finder.find(photo, 'names', 'cat'), 1, 3)
    assert answer.rows == [] and answer.coco is None and answer.yolo is None
    assert 'reached its threshold (1); the best score was' in answer.summary


def test_thresholds_of_the_model_stay(finder, photo, monkeypatch):
    monkeypatch.setattr(finder.inferencer, 'thresholds', Thresholds(0.3, {'cat': 1.}))
    answer = finder.show(finder.find(photo, 'names', 'cat, dog'), 0, 100)
    assert {row[0] for row in answer.rows} == {'dog'}


def test_a_caption_and_negatives(finder, photo):
    found = finder.find(photo, 'caption', 'a [cat] on [the sofa]', 'dog')
    assert found.result.prompt.caption == 'a cat on the sofa'
    assert found.result.prompt.names == ['cat', 'the sofa']


@pytest.mark.parametrize('path, text, message', [
    ('', 'cat', 'give a picture first'),
    ('photo', ' ', 'say what to look for'),
    ('photo', 'x' * 101, 'the text has 101 characters, more than the 100'),
    ('photo', '. ,', 'holds no name'),
    (b'no image', 'cat', 'the picture can not be read: unknown format'),
    (b'\0' * (1 << 20) + b'.', 'cat', 'the picture has 1.0 MiB, more than the 1.0'),
    (encoded(161, 120), 'cat', 'the picture has 161 x 120 pixels, more than the 19,200'),
    (encoded(160, 120)[:60], 'cat', 'can not be decoded'),
])
def test_what_is_wrong_is_a_sentence(finder, photo, tmp_path, path, text, message):
    if isinstance(path, bytes):
        (tmp_path / 'upload').write_bytes(path)
        path = str(tmp_path / 'upload')
    with pytest.raises(ValueError, match=message):
        finder.find(photo if path == 'photo' else path, 'names', text)


def test_phrases():
    prompt = read_prompt('caption', '[a cup] and [a cup]', 100)
    assert [entity.spans for entity in prompt.entities] == [((0, 5), ), ((10, 15), )]
    assert read_prompt('names', 'cat. dog\nred cup, cat', 100).names == ['cat', 'dog', 'red cup']
    pytest.importorskip('spacy')
    assert read_prompt('caption', 'a cup on the table', 100).names == ['a cup', 'the table']


def test_examples_are_those_of_the_quickstart(tmp_path):
    from glip_mm.datasets.grounding_world import WorldOptions, write_world
    assert quickstart_examples(tmp_path) == []
    write_world(str(tmp_path), WorldOptions(detection=2, grounding=2, val=2, test=30, long_tail=2),
                workers=1)
    examples = quickstart_examples(tmp_path, 2)
    assert [example.kind for example in examples] == ['names', 'names', 'caption', 'caption']
    assert all(isinstance(example, Example) for example in examples)
    for example in examples:
        assert len(read_prompt(example.kind, example.text, 2000).names) > 1
        assert tmp_path.joinpath(example.image).is_file()
