"""Rows of ODVG files in training, validation and the tool that checks them."""

import json
import math
from typing import Any

import numpy as np

from dev.robustness.mutations import (
    DAMAGE,
    VALUES,
    dump,
    map_leaves,
    places,
    put,
    removed,
    shuffled,
)
from dev.robustness.running import run_tool
from dev.robustness.tries import Place, Try
from dev.robustness.world import HEIGHT, WIDTH, World

TITLE = 'ODVG rows: training, strict training, validation'
LABELS = {0: 'cat', 3: 'dog'}
CAPTION = 'a dog on a mat'
_LIMIT = 1 << 31


def _image(place: Place) -> dict:
    return dict(filename='0.png', width=WIDTH, height=HEIGHT, image_id=7)


def detection(place: Place) -> dict:
    """Draw a valid detection row."""
    return dict(_image(place), detection=dict(
        instances=[dict(bbox=_box(place), label=3, category='dog', ignore=0, score=.5),
                   dict(bbox=_box(place), label=0)], negatives=[0], not_exhaustive=[0]))


def grounding(place: Place) -> dict:
    """Draw a valid grounding row."""
    return dict(_image(place), grounding=dict(caption=CAPTION, regions=[
        dict(bbox=[_box(place), _box(place)], phrase='a dog', tokens_positive=[[0, 5]],
             score=[.9, .8]),
        dict(bbox=_box(place), phrase='a mat', tokens_positive=[[9, 14]])],
        without_box=[dict(phrase='mat', tokens_positive=[[11, 14]])]))


def _box(place: Place) -> list[float]:
    x, y = place.rng.randrange(WIDTH - 20), place.rng.randrange(HEIGHT - 20)
    return [x, y, x + place.rng.randrange(5, 20), y + place.rng.choice([5, 7.5, 20])]


# ------------------------------------------------- what is right, said again in few words

def _number(value: Any) -> bool:
    return type(value) in (int, float) and -_LIMIT < value < _LIMIT


def _whole(value: Any) -> bool:
    return type(value) is int and -_LIMIT < value < _LIMIT


def _usable_box(box: Any, row: dict) -> list[float] | None:
    if not (isinstance(box, list) and len(box) == 4 and all(map(_number, box))):
        return None
    x1, y1, x2, y2 = (max(box[0], 0), max(box[1], 0), min(box[2], row['width']),
                      min(box[3], row['height']))
    return [x1, y1, x2, y2] if x2 - x1 > 1 and y2 - y1 > 1 else None


def _text(value: Any) -> bool:
    return isinstance(value, str) and not any('\ud800' <= c <= '\udfff' for c in value)


def _mended(text: str) -> str:
    return ''.join(c if _text(c) else '\ufffd' for c in text)


def right_boxes(row: Any, learned: bool = False) -> list[tuple[list[float], Any]] | None:
    """Return the boxes of a row and what each is of; None if nothing of the row can be used.

    Args:
        row: Content of the row.
        learned: whether boxes to be ignored are left out.
    """
    if not isinstance(row, dict) or ('detection' in row) == ('grounding' in row):
        return None
    name = row.get('filename')
    if not (isinstance(name, str) and name and _text(name) and '\0' not in name):
        return None
    if not all(_whole(row.get(key)) and row[key] > 0 for key in ('width', 'height')):
        return None
    return _detected(row, learned) if 'detection' in row else _grounded(row)


def _named(row: dict) -> int:
    """Return how many boxes a row names, usable or not."""
    if 'detection' in row:
        return len(row['detection']['instances'])
    boxes = [region.get('bbox') if isinstance(region, dict) else None
             for region in row['grounding']['regions']]
    return sum(len(box) if isinstance(box, list) and box and isinstance(box[0], list) else 1
               for box in boxes)


def _detected(row: dict, learned: bool) -> list | None:
    content = row['detection']
    if not isinstance(content, dict) or not isinstance(content.get('instances'), list):
        return None
    if not all(isinstance(content.get(key, []), list) for key in ('negatives', 'not_exhaustive')):
        return None
    boxes = []
    for one in content['instances']:
        if not isinstance(one, dict) or not _whole(one.get('label')):
            continue
        box, label = _usable_box(one.get('bbox'), row), one['label']
        mixed = one.get('category') in [n for k, n in LABELS.items() if k != label]
        ignore = one.get('ignore', 0)
        if (box and label in LABELS and not mixed and _number(one.get('score', 0))
                and isinstance(ignore, (int, float)) and ignore in (0, 1)
                and not (learned and ignore)):
            boxes.append((box, label))
    return boxes


def _spans(region: dict, caption: str) -> list | None:
    spans, phrase = region.get('tokens_positive'), region.get('phrase')
    good = isinstance(spans, list) and spans and all(
        isinstance(s, list) and len(s) == 2 and all(map(_whole, s))
        and 0 <= s[0] < s[1] <= len(caption) for s in spans)
    named = isinstance(phrase, str) or isinstance(phrase, list) and all(
        isinstance(piece, str) for piece in phrase)
    return spans if good and named else None


def _grounded(row: dict) -> list | None:
    content = row['grounding']
    caption = content.get('caption') if isinstance(content, dict) else None
    if not isinstance(caption, str) or not caption.strip() or len(caption) > 1 << 16:
        return None
    if not isinstance(content.get('regions'), list):
        return None
    boxes = []
    for region in content['regions']:
        spans = _spans(region, caption) if isinstance(region, dict) else None
        if not spans:
            continue
        found, scores = region.get('bbox'), region.get('score', 0)
        several = isinstance(found, list) and found and isinstance(found[0], list)
        found = found if several else [found]
        scores = scores if several and 'score' in region else [scores] * len(found)
        paired = isinstance(scores, list) and len(scores) == len(found)
        for k, one in enumerate(found):
            box = _usable_box(one, row)
            if box and paired and _number(scores[k]):
                boxes.append((box, _mended(caption[spans[0][0]:spans[0][1]])))
    return boxes


# ------------------------------------------------- attacks

def _attacked(place: Place) -> tuple[str, bytes, Any]:
    """Return an attack in words, the line, and the row that it must be read as."""
    rng = place.rng
    row = rng.choice([detection, grounding])(place)
    if rng.random() < .3:
        notation = rng.choice(['order of keys', 'floats', 'escapes', 'carriage return', 'blanks'])
        written: Any = row
        if notation == 'order of keys':
            written = shuffled(rng, row)
        if notation == 'floats':
            part = 'detection' if 'detection' in row else 'grounding'
            written = {**row, part: _float_boxes(row[part])}
        line = dump(written, ensure_ascii=notation == 'escapes',
                    indent=None, separators=(' , ', ' : ') if notation == 'blanks' else None)
        end = b'\r' if notation == 'carriage return' else b''
        return f'notation: {notation}', line.encode() + end, row
    if rng.random() < .2:
        cause = rng.choice(sorted(set(DAMAGE) - {'nothing'}))
        line = DAMAGE[cause](rng, dump(row).encode()).replace(b'\n', b' ')
        return f'damage: {cause}', line, None
    path = rng.choice(list(places(row)))
    if rng.random() < .15:
        row = removed(row, path)
        return f'without {path}', dump(row).encode(), row
    value = rng.choice(VALUES)
    row = put(row, path, value)
    marked = isinstance(value, str) and value.startswith('@deep')
    line = dump(row).encode()
    # a line nested beyond the documented limit is lost as a whole
    return f'{path} is {value!r:.40}', line, None if marked else row


def _float_boxes(part: Any) -> Any:
    if isinstance(part, list):
        return [_float_boxes(item) for item in part]
    if not isinstance(part, dict):
        return part
    return {key: map_leaves(item, float) if key == 'bbox' else _float_boxes(item)
            for key, item in part.items()}


def prepare(world: World) -> None:
    """Need no more than the pictures."""


def make(place: Place) -> Try:
    """Make a row among good ones, and read it for a purpose."""
    what, line, row = _attacked(place)
    good = [detection(place), grounding(place), detection(place), grounding(place)]
    place.world.link(0, place.folder / '0.png')
    (place.folder / 'map.json').write_text(json.dumps({str(k): v for k, v in LABELS.items()}))
    lines = [json.dumps(one).encode() for one in good]
    (place.folder / 'a.jsonl').write_bytes(b'\n'.join([*lines[:2], line, *lines[2:], b'']))
    expected = right_boxes(row)
    missing = expected is not None and row['filename'] != '0.png'  # no such image
    use = place.rng.choice(['training', 'strict training', 'validation'])
    if use == 'validation':
        return _validated(what, good, row, expected)
    rows = [*good[:2], row, *good[2:]]
    return _read(f'{use}: {what}', use == 'strict training', rows, expected, missing)


def _read(what: str, strict: bool, rows: list, expected: Any, missing: bool) -> Try:
    lost = expected is None or missing
    # an empty list is an image without objects; what a row names must be used or refused
    dropped = not lost and len(expected) < _named(rows[2])

    def act() -> Any:
        from mmengine.registry import DefaultScope

        from glip_mm.datasets import GroundingDataset
        from glip_mm.datasets.odvg_rules import REMEDIES
        pipeline = [dict(type='LoadImage'), dict(type='LoadAnnotations', with_bbox=True),
                    dict(type='ClipBoxes'), dict(type='BuildPrompt', negatives='listed'),
                    dict(type='PackDetInputs', meta_keys=('img_id', 'prompt'))]
        with DefaultScope.overwrite_default_scope('glip_mm'):
            data = GroundingDataset('a.jsonl', data_root='.', label_map_file='map.json', max_bad=1,
                                    pipeline=pipeline, on_bad='stop' if strict else 'replace')
        if strict:
            return [_values(data[2])]
        found = [_values(data[i]) for i in range(len(data))]
        unknown = set(data.counter.causes) - set(REMEDIES)
        assert not unknown, f'errors of code: {unknown}'
        return found, sum(data.counter.causes.values())

    def wrong(value: Any) -> str | None:
        if strict:
            found, bad = value, 0
            wanted = [right_boxes(rows[2], learned=True)]
        else:
            found, bad = value
            wanted = [right_boxes(one, learned=True) for one in rows]
        if len(found) != len(wanted):
            return f'{len(found)} samples of {len(wanted)}'
        for one, right in zip(found, wanted):
            if right is rows or (right is None or missing) and right is wanted[len(wanted) // 2]:
                continue  # replaced by another
            if not _same(one, right):
                return f'{one} where {right} is right'
        if not strict and bad != lost:
            return f'{bad} samples counted as replaced, and {int(lost)} is right'
        return None

    if strict and (lost or dropped):
        return Try(what, act, None, ('a.jsonl:3: ', ))
    if strict:
        # what costs no box, such as a label of the negatives, may end a strict training
        return Try(what, act, wrong, ('a.jsonl:3: ', ) if 'notation' not in what else None)
    return Try(what, act, wrong)


def _values(sample: dict) -> list[tuple[list[float], str]]:
    found = sample['data_samples']
    boxes = found.gt_instances.bboxes
    boxes = np.asarray(getattr(boxes, 'tensor', boxes)).tolist()
    names = [found.prompt.entities[label].name for label in found.gt_instances.labels.tolist()]
    return sorted(zip(boxes, names))


def _same(found: list, right: list) -> bool:
    right = sorted((box, LABELS[what] if isinstance(what, int) else what) for box, what in right)
    return len(found) == len(right) and all(
        name == wanted and all(math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-3)
                               for a, b in zip(box, other))
        for (box, name), (other, wanted) in zip(found, right))


def _validated(what: str, good: list, row: Any, expected: Any) -> Try:
    boxes = sum(len(right_boxes(one) or ()) for one in [*good, row])
    usable = 4 + (expected is not None)

    def act() -> str:
        return run_tool('tools/misc/validate_odvg.py', 'a.jsonl', '--label-map', 'map.json',
                        '--allow-duplicates', status=(0, 1))

    def wrong(said: str) -> str | None:
        wanted = f'{usable} of 5 rows usable', f'{boxes} of '
        return None if all(word in said for word in wanted) else f'{said[-400:]!r}, not {wanted}'
    return Try(f'validation: {what}', act, wrong)
