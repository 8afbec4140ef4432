"""Mutated ODVG rows never end a training, and never raise anything but a named fault."""

import copy
import json
import os
import random
from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import DefaultScope
from PIL import Image

from glip_mm.datasets import BadSample, GroundingDataset
from glip_mm.datasets.odvg_rules import HARMLESS, REMEDIES
from glip_mm.datasets.validation import validate_odvg
from glip_mm.pseudo_labels.export import Collection
from glip_mm.pseudo_labels.label_rows import LabelRows
from glip_mm.pseudo_labels.review import count_labels

LABELS = {0: 'cat', 3: 'dog'}
IMAGE = dict(filename='a.png', width=50, height=40, image_id=7)
DETECTION = dict(IMAGE, detection=dict(
    instances=[dict(bbox=[1, 2, 30.5, 20], label=3, category='dog', ignore=0, score=.5),
               dict(bbox=[1, 2, 30, 20], label=0)], negatives=[0], not_exhaustive=[0]))
GROUNDING = dict(IMAGE, grounding=dict(caption='a dog on a mat', regions=[
    dict(bbox=[[1, 2, 9, 8], [2, 2, 9, 8]], phrase='a dog', tokens_positive=[[0, 5]],
         score=[.9, .8]),
    dict(bbox=[1, 2, 9, 8], phrase=['a mat'], tokens_positive=[[9, 14]])],
    without_box=[dict(phrase='mat', tokens_positive=[[11, 14]])]))
GOOD = [json.dumps(row) for row in (GROUNDING, DETECTION, GROUNDING, DETECTION)]
#: Written into the text of a row, since no encoder nests that deep.
DEEP = {'@deep@': '[' * 500 + ']' * 500, '@deepest@': '[' * 100_000 + ']' * 100_000}
VALUES = [None, True, False, 'x', '7', '', ' ', '\ud800', 'a\0b', '\u200b', -1, 0, 1.5,
          float('nan'), float('inf'), 10 ** 30, 10 ** 400, -10 ** 400, [], {}, [[]], [7],
          [[1, 2, 9, 8]], {'a': 1}, '@deep@', '@deepest@', '@missing@']
LINES = [b'null', b'7', b'"x"', b'[]', b'{}', b'{"filename": "a.png"', b'\xff\xfe\x00', b'\0',
         '{"ä": 1}'.encode('latin-1'), GOOD[0].encode('utf-16'), GOOD[0].encode()[:-1],
         b'{"filename": "a.png", "detection": ' + b'1' * 5000 + b'}',
         GOOD[0].replace('a dog on', 'a dog on ' + 'very ' * 2_000_000).encode()]


def places(value, path=()):
    """All paths into nested lists and dicts."""
    for key in value if isinstance(value, dict) else range(len(value)):
        yield (*path, key)
        if isinstance(value[key], (dict, list)):
            yield from places(value[key], (*path, key))


def mutated(row, path, value):
    row = copy.deepcopy(row)
    parent = row
    for key in path[:-1]:
        parent = parent[key]
    if value == '@missing@':
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    text = json.dumps(row)
    for mark, nested in DEEP.items():
        text = text.replace(f'"{mark}"', nested)
    return text.encode()


def all_mutations():
    return [mutated(row, path, value) for row in (DETECTION, GROUNDING)
            for path in places(row) for value in VALUES]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('fuzz')
    (folder / 'map.json').write_text(json.dumps({str(k): v for k, v in LABELS.items()}))
    Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(folder / 'a.png')
    return folder


def open_data(folder, **options):
    pipeline = [dict(type='FilterPseudoBoxes', min_score=None, min_boxes=0),
                dict(type='LoadImage'), dict(type='LoadAnnotations', with_bbox=True),
                dict(type='ClipBoxes'), dict(type='FlipWithWords', prob=0.5),
                # with 'stop' a bad companion ends the training, too
                *([] if options else [dict(type='PackCaptions', num_negatives=2)]),
                dict(type='BuildPrompt', negatives='listed'),
                dict(type='PackDetInputs', meta_keys=('img_id', 'prompt', 'img_path'))]
    with DefaultScope.overwrite_default_scope('glip_mm'):
        return GroundingDataset(str(folder / 'a.jsonl'), data_root=str(folder),
                                label_map_file='map.json', pipeline=pipeline, max_bad=1, **options)


def check(folder, lines):
    """Read rows among good ones in every way; compare with what validation says of them."""
    (folder / 'a.jsonl').write_bytes(b'\n'.join([*(g.encode() for g in GOOD), *lines, b'']))
    found = validate_odvg(folder / 'a.jsonl', LABELS, folder, max_errors=10 ** 6,
                          allow_duplicates=True, progress=False)
    faulty = {fault.line for fault in found.faults if fault.cause not in HARMLESS}
    replacing, strict = open_data(folder), open_data(folder, on_bad='stop')
    for index in range(len(replacing)):
        line = int(replacing.where(index).rpartition(':')[2])
        sample = replacing[index]['data_samples']
        boxes = np.asarray(sample.gt_instances.bboxes.tensor if hasattr(
            sample.gt_instances.bboxes, 'tensor') else sample.gt_instances.bboxes)
        assert np.isfinite(boxes).all()
        assert len(sample.prompt.entities) > max(sample.gt_instances.labels.tolist(), default=-1)
        try:
            strict.prepare_data(index)
            raised = False
        except BadSample as error:
            raised = True
            assert f'a.jsonl:{line}: ' in str(error) and len(str(error)) < 2000
        assert raised == (line in faulty), (line, lines[line - len(GOOD) - 1][:200])
    assert set(replacing.counter.causes) <= set(REMEDIES)
    read = [int(replacing.where(i).rpartition(':')[2]) for i in range(len(replacing))]
    assert len(read) == found.counts['rows']
    rows = LabelRows(folder / 'a.jsonl', LABELS)
    exported = Collection(rows, progress=False)
    assert all(np.isfinite(box.box).all() for image in exported.images() for box in image.boxes)
    assert count_labels(rows, progress=False).rows == found.counts['usable_rows'] + sum(
        fault.cause == 'missing image' for fault in found.faults)


@pytest.mark.parametrize('seed', range(3))
def test_mutated_rows(folder, seed):
    check(folder, random.Random(seed).sample(all_mutations(), 50))


def test_lines_that_are_no_rows(folder):
    check(folder, LINES)


def test_all_rows_are_bad(folder):
    (folder / 'a.jsonl').write_bytes(b'7\n' * 9)
    with pytest.raises(RuntimeError, match=r'a.jsonl:1: .*; the last: .*a.jsonl:\d: wrong type'):
        open_data(folder)[0]
    with pytest.raises(BadSample, match='a.jsonl:3: wrong type'):
        open_data(folder, on_bad='stop')[2]


@pytest.mark.parametrize('kind', ['pipe', 'folder', 'nothing'])
def test_what_is_no_file(tmp_path, folder, kind):
    path = tmp_path / 'a.jsonl'
    if kind != 'nothing':
        (os.mkfifo if kind == 'pipe' else Path.mkdir)(path)
    for read in (lambda: validate_odvg(path, progress=False),
                 lambda: GroundingDataset(str(path)), lambda: LabelRows(path)):
        with pytest.raises(FileNotFoundError, match=str(path)):
            read()
