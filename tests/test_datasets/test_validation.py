"""The validator names every kind of fault, at the right line, and nothing else."""

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from glip_mm.datasets import validation
from glip_mm.datasets.odvg_rules import HARMLESS, REMEDIES, box_problem, check_row, clean
from glip_mm.datasets.validation import validate_odvg

NAMES = {0: 'cat', 1: 'dog'}


def detection(*instances, **more):
    return dict(filename='a.jpg', height=40, width=50,
                detection=dict(instances=list(instances), **more))


def instance(**more):
    return {**dict(bbox=[0, 0, 9, 9], label=1, category='dog'), **more}


def grounding(*regions, caption='a dog and a cat', **more):
    return dict(filename='a.jpg', height=40, width=50,
                grounding=dict(caption=caption, regions=list(regions)), **more)


def region(**more):
    return {**dict(bbox=[0, 0, 9, 9], phrase='a dog', tokens_positive=[[0, 5]]), **more}


def without(row, *keys):
    return {key: value for key, value in row.items() if key not in keys}


GOOD = [
    detection(), detection(instance(), instance(label=0, category='cat', ignore=1)),
    detection(without(instance(), 'category')), detection(instance(bbox=[0, 0, 50.005, 40])),
    detection(negatives=[0], not_exhaustive=[1]), dict(detection(), image_id='x'),
    grounding(region()), grounding(region(bbox=[[0, 0, 9, 9], [1, 1, 8, 8]], score=[.5, 1])),
    grounding(region(score=.5)), grounding(),
    grounding(region(phrase='dog a', tokens_positive=[[2, 5], [0, 1]])),
    # phrases as MMDetection's converter writes them
    grounding(region(phrase=['a dog', 'cat'], tokens_positive=[[12, 15], [0, 5]])),
    grounding(region(phrase='a dog', tokens_positive=[[0, 1], [2, 5]])),
]
BAD = [
    ([1], 'line', 'wrong type'), (without(detection(), 'filename'), 'filename', 'missing field'),
    (dict(detection(), filename=7), 'filename', 'wrong type'),
    (dict(detection(), height='40'), 'height', 'bad size'),
    (dict(detection(), width=0), 'width', 'bad size'),
    (dict(detection(), width=True), 'width', 'bad size'),
    (without(detection(), 'width'), 'width', 'missing field'),
    (without(detection(), 'detection'), 'line', 'no content'),
    ({**detection(), **grounding()}, 'line', 'no content'),
    (dict(detection(), detection=[]), 'detection.instances', 'wrong type'),
    (detection(7), 'detection.instances[0]', 'wrong type'),
    (detection(instance(), instance(bbox=[1, 2, 3])), 'detection.instances[1].bbox',
     'malformed box'),
    (detection(instance(bbox='abcd')), 'detection.instances[0].bbox', 'malformed box'),
    (detection(instance(bbox=[0, 0, 9, '9'])), 'detection.instances[0].bbox', 'malformed box'),
    (detection(instance(bbox=[0, 0, 9, float('nan')])), 'detection.instances[0].bbox',
     'malformed box'),
    (detection(instance(bbox=[0, 0, 9, float('inf')])), 'detection.instances[0].bbox',
     'malformed box'),
    (detection(instance(bbox=[20, 20, 9, 30])), 'detection.instances[0].bbox', 'degenerate box'),
    (detection(instance(bbox=[20, 20, 21, 30])), 'detection.instances[0].bbox', 'degenerate box'),
    (detection(instance(bbox=[50, 0, 60, 9])), 'detection.instances[0].bbox',
     'box outside the image'),
    (detection(instance(bbox=[40, 0, 60, 9])), 'detection.instances[0].bbox', 'box sticks out'),
    (detection(instance(bbox=[-1, 0, 6, 9])), 'detection.instances[0].bbox', 'box sticks out'),
    (detection(instance(label=2)), 'detection.instances[0].label', 'unknown label'),
    (detection(instance(label='1')), 'detection.instances[0].label', 'wrong type'),
    (detection(without(instance(), 'label')), 'detection.instances[0].label', 'missing field'),
    (detection(instance(category='\u200b')), 'detection.instances[0].category', 'wrong category'),
    (detection(instance(category='cat')), 'detection.instances[0].category',
     'category of another label'),
    (detection(instance(category='Dog')), 'detection.instances[0].category', 'wrong category'),
    (detection(instance(ignore='no')), 'detection.instances[0].ignore', 'wrong type'),
    (detection(negatives=[0, 7]), 'detection.negatives[1]', 'unknown label'),
    (detection(not_exhaustive=[7]), 'detection.not_exhaustive[0]', 'unknown label'),
    # which classes are absent must not be guessed
    (detection(not_exhaustive=3), 'detection.not_exhaustive', 'wrong type'),
    (dict(detection(), filename='a\0'), 'filename', 'bad file name'),
    (dict(detection(), filename='\ud800'), 'filename', 'bad file name'),
    (dict(detection(), width=10 ** 400), 'width', 'bad size'),
    (dict(detection(), image_id=[1]), 'image_id', 'wrong type'),
    (detection(instance(bbox=[True, 0, 9, 9])), 'detection.instances[0].bbox', 'malformed box'),
    (detection(instance(bbox=[0, 0, 9.5, 10 ** 400])), 'detection.instances[0].bbox',
     'malformed box'),
    (detection(instance(score=None)), 'detection.instances[0].score', 'bad score'),
    (grounding(region(score=10 ** 400)), 'grounding.regions[0].score', 'bad score'),
    (grounding(region(bbox=[[0, 0, 9, 9], [1, 1, 8, 8]], score=[.5, '1'])),
     'grounding.regions[0].score[1]', 'bad score'),
    (dict(grounding(), grounding=dict(caption='a', regions=[], without_box=7)),
     'grounding.without_box', 'wrong type'),
    (dict(grounding(), grounding=dict(caption='a', regions=[], without_box=[dict(phrase='a')])),
     'grounding.without_box[0].tokens_positive', 'no span'),
    (grounding(caption=''), 'grounding.caption', 'wrong type'),
    (dict(grounding(), grounding=dict(regions=[])), 'grounding.caption', 'missing field'),
    (grounding(caption='very ' * 20_000), 'grounding.caption', 'long caption'),
    (dict(grounding(), grounding=dict(caption='a', regions={})), 'grounding.regions',
     'wrong type'),
    (grounding(3), 'grounding.regions[0]', 'wrong type'),
    (grounding(region(bbox=[[0, 0, 9, 9], [9, 9, 9, 9]])), 'grounding.regions[0].bbox[1]',
     'degenerate box'),
    (grounding(region(bbox=[])), 'grounding.regions[0].bbox', 'malformed box'),
    (grounding(region(tokens_positive=[[11, 16]])), 'grounding.regions[0].tokens_positive[0]',
     'span past the caption'),
    (grounding(region(tokens_positive=[[3, 3]])), 'grounding.regions[0].tokens_positive[0]',
     'span past the caption'),
    (grounding(region(tokens_positive=[[-2, 3]])), 'grounding.regions[0].tokens_positive[0]',
     'span past the caption'),
    (grounding(region(tokens_positive=[[0, 5.0]])), 'grounding.regions[0].tokens_positive[0]',
     'wrong type'),
    (grounding(region(tokens_positive=[])), 'grounding.regions[0].tokens_positive', 'no span'),
    (grounding(without(region(), 'tokens_positive')), 'grounding.regions[0].tokens_positive',
     'no span'),
    (grounding(region(phrase='the dog')), 'grounding.regions[0].phrase', 'phrase differs'),
    (grounding(region(phrase=None)), 'grounding.regions[0].phrase', 'missing field'),
    (grounding(region(phrase=[1])), 'grounding.regions[0].phrase', 'wrong type'),
    (grounding(region(score=[.5, .5])), 'grounding.regions[0].score', 'bad score'),
    (grounding(region(score='high')), 'grounding.regions[0].score', 'bad score'),
]


def test_clean_keeps_what_is_usable():
    thin, good = [9, 9, 9, 9], [0, 0, 9, 9]
    row = detection(instance(), instance(bbox=thin, label=0, category='cat'), instance(label=9),
                    negatives=[0, 7], not_exhaustive=[1])
    record, problems = clean(row, NAMES)
    assert record['detection'] == dict(instances=[instance()], negatives=[0],
                                       not_exhaustive=[0, 1])
    assert [problem.cause for problem in problems] == ['unknown label', 'degenerate box',
                                                       'unknown label']
    row = grounding(region(bbox=[thin, good], score=[.1, .9]), region(bbox=thin),
                    region(tokens_positive=[[0, 99]]), without_box=[])
    record, _ = clean(row)
    phrase = dict(phrase='a dog', tokens_positive=[[0, 5]])
    assert record['grounding'] == dict(
        caption='a dog and a cat', regions=[dict(phrase, bbox=[good], score=[.9])],
        without_box=[phrase])
    # a lone surrogate is a character that tokenizers drop: spans stay what they are
    record, problems = clean(grounding(region(phrase='\ud800 do', tokens_positive=[[0, 4]]),
                                       caption='\ud800 dog'))
    assert record['grounding']['caption'] == '\ufffd dog'
    assert record['grounding']['regions'][0]['phrase'] == '\ufffd do'
    assert [problem.cause for problem in problems] == ['lone surrogate']
    assert clean(dict(row, width=0))[0] is None
    assert row['grounding']['regions'][0]['bbox'][0] == thin


def test_every_cause_has_a_remedy():
    assert HARMLESS <= set(REMEDIES)
    assert {cause for _, _, cause in BAD} <= set(REMEDIES)


def write(path, rows):
    path.write_text(''.join((row if isinstance(row, str) else json.dumps(row)) + '\n'
                            for row in rows))
    return path


@pytest.mark.parametrize('row', GOOD)
def test_good_rows(row):
    check = check_row(row, NAMES)
    assert check.problems == [] and check.usable
    assert check.usable_boxes == check.boxes


@pytest.mark.parametrize('row, field, cause', BAD)
def test_bad_rows(row, field, cause):
    check = check_row(row, NAMES)
    assert [(problem.field, problem.cause) for problem in check.problems] == [(field, cause)]
    # one fault costs one box, one region or the row; never nothing, unless it does no harm
    lost = not check.usable or check.usable_boxes < check.boxes
    harmless = cause in HARMLESS or field.startswith(
        ('detection.negatives[', 'detection.not_exhaustive[', 'grounding.without_box', 'image_id'))
    assert lost != harmless
    assert cause in REMEDIES


@settings(deadline=None)
@given(st.lists(st.floats(-5, 60), min_size=4, max_size=4))
def test_quick_and_slow_rule_agree(box):
    """The quick test of good boxes lets nothing through that the rule forbids."""
    x1, y1, x2, y2 = box
    inside = x1 >= -.01 and y1 >= -.01 and x2 <= 50.01 and y2 <= 40.01
    large = min(x2, 50) - max(x1, 0) > 1 and min(y2, 40) - max(y1, 0) > 1
    assert (box_problem(box, 50, 40) is None) == (inside and large)


def test_file(tmp_path):
    rows = [GOOD[1], '{"filename"', '', GOOD[8], detection(instance(label=2)), GOOD[6],
            grounding(region(), caption='a dog'), dict(GOOD[1])]
    path = write(tmp_path / 'a.jsonl', rows)
    found = validate_odvg(path, NAMES, progress=False)
    assert [(fault.line, fault.field, fault.cause) for fault in found.faults] == [
        (2, 'line', 'not JSON'),
        (5, 'detection.instances[0].label', 'unknown label'), (5, 'filename', 'duplicate row'),
        (6, 'filename', 'duplicate row'), (8, 'filename', 'duplicate row')]
    assert found.faults[-1].message.endswith('as line 1')
    assert not found.ok
    assert found.counts == dict(rows=7, usable_rows=6, boxes=8, usable_boxes=7, ignored_boxes=2,
                                phrases=3, empty_rows=1)
    text = str(found.faults[1])
    assert text.startswith(f'{path}:5: detection.instances[0].label: label 2 is not')
    assert REMEDIES['unknown label'] in text
    assert '6 of 7 rows usable' in found.summary()
    unchecked = validate_odvg(path, progress=False)
    assert 'the labels of 3 detection rows were not checked' in unchecked.summary()
    assert 'not checked' not in found.summary()
    again = validate_odvg(path, NAMES, max_errors=2, allow_duplicates=True, progress=False)
    assert len(again.faults) == 2 and again.causes == {'not JSON': 1, 'unknown label': 1}


@pytest.mark.parametrize('chunk, workers', [(1, 1), (37, 1), (400, 1), (1 << 20, 1), (900, 2)])
def test_lines_are_counted_right_however_the_file_is_cut(tmp_path, monkeypatch, chunk, workers):
    monkeypatch.setattr(validation, '_CHUNK', chunk)
    rows = [dict(detection(instance()), filename=f'{i}.jpg') for i in range(30)]
    rows[7] = rows[29] = detection(instance(label=9))
    rows[3] = rows[20] = ''
    path = write(tmp_path / 'a.jsonl', rows)
    path.write_text(path.read_text().rstrip('\n'))  # no line end at the end
    found = validate_odvg(path, NAMES, workers=workers, progress=False)
    assert [(fault.line, fault.cause) for fault in found.faults] == [
        (8, 'unknown label'), (30, 'unknown label'), (30, 'duplicate row')]
    assert found.counts['rows'] == 28
    strict = validate_odvg(path, NAMES, strict=True, workers=workers, progress=False)
    assert strict.stopped and [fault.line for fault in strict.faults][0] == 8


def test_images(tmp_path):
    Image.new('RGB', (50, 40)).save(tmp_path / 'good.jpg')
    Image.new('RGB', (40, 50)).save(tmp_path / 'turned.jpg')
    content = (tmp_path / 'good.jpg').read_bytes()
    (tmp_path / 'cut.jpg').write_bytes(content[:len(content) // 2])
    rows = [dict(detection(), filename=f'{name}.jpg') for name in ('good', 'turned', 'cut', 'no')]
    path = write(tmp_path / 'a.jsonl', rows)
    there = validate_odvg(path, NAMES, tmp_path, progress=False)
    assert [(f.line, f.cause) for f in there.faults] == [(4, 'missing image')]
    decoded = validate_odvg(path, NAMES, tmp_path, check_images=True, progress=False)
    assert [(f.line, f.cause) for f in decoded.faults] == [
        (2, 'size differs from the image'), (3, 'broken image'), (4, 'missing image')]
    assert decoded.counts['usable_rows'] == 1
    with pytest.raises(ValueError, match='image_root'):
        validate_odvg(path, check_images=True)


@pytest.mark.parametrize('name', ['{}/a.jsonl', '../a.jsonl', 'sub/../../a.jsonl'])
def test_images_outside_their_folder(tmp_path, name):
    (tmp_path / 'images/sub').mkdir(parents=True)
    Image.new('RGB', (50, 40)).save(tmp_path / 'images/good.jpg')
    path = write(tmp_path / 'a.jsonl', [
        dict(detection(), filename=one) for one in (name.format(tmp_path), 'sub/../good.jpg')])
    fault, = validate_odvg(path, NAMES, tmp_path / 'images', progress=False).faults
    assert fault.cause == 'bad file name' and 'leads out of' in fault.message


def test_odd_files(tmp_path, monkeypatch):
    empty = write(tmp_path / 'empty.jsonl', [])
    assert validate_odvg(empty, progress=False).ok
    odd = write(tmp_path / 'odd.jsonl', [grounding(region(), caption='a dog \ud800')])
    assert validate_odvg(odd, progress=False).causes == {'lone surrogate': 1}
    monkeypatch.setattr(validation, '_LONGEST_LINE', 20)
    with pytest.raises(ValueError, match='JSON lines'):
        validate_odvg(odd, progress=False)


def test_rows_that_no_parser_takes_are_faults(tmp_path):
    deep = '[' * 100_000 + ']' * 100_000
    path = tmp_path / 'a.jsonl'
    path.write_bytes(b'\xef\xbb\xbf' + json.dumps(GOOD[1]).encode() + b'\r\n'
                     + deep.encode() + b'\n\xff\xfe\n' + b'9' * 5000 + b'\n')
    found = validate_odvg(path, NAMES, progress=False)
    assert [(fault.line, fault.cause) for fault in found.faults] == [
        (2, 'not JSON'), (3, 'not JSON'), (4, 'not JSON')]


def test_pipes_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    with pytest.raises(FileNotFoundError, match='no regular file'):
        validate_odvg(tmp_path / 'pipe', progress=False)
    path = write(tmp_path / 'a.jsonl', [dict(GOOD[0], filename='pipe')])
    found = validate_odvg(path, NAMES, tmp_path, check_images=True, progress=False)
    assert found.causes == {'missing image': 1}
