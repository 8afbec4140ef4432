"""Small data sets in the formats that are read."""

import json
from pathlib import Path

import pytest

CAPTION = 'Two dogs and a red ball on the grass.'


def dump(path: Path, content: object) -> str:
    path.write_text(json.dumps(content))
    return str(path)


def lines(path) -> list:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


@pytest.fixture
def coco(tmp_path):
    """Annotations before images, ids with gaps and out of order, every kind of bad box."""
    def box(image_id, bbox, category_id=7, **more):
        return dict(image_id=image_id, bbox=bbox, category_id=category_id, **more)

    return dump(tmp_path / 'coco.json', dict(
        info=dict(year=2017, note='a "}" in quotes'),
        annotations=[
            box(30, [10, 20, 30, 40], 90), box(10, [0, 0, 5, 5]),
            box(30, [0.5, 0.25, 2.5, 3.25], iscrowd=1),
            box(10, [-4, -4, 10, 10]), box(10, [95, 45, 10, 10]),  # stick out
            box(10, [100, 0, 5, 5]), box(10, [20, 20, 1, 8]), box(10, [20, 20, 0, 8]),
            box(10, [1, 2, 3]), box(10, [1, 2, 3, float('nan')]), box(10, [1, 2, 3, 'x']),
            box(99, [1, 1, 5, 5]), box(10, [1, 1, 5, 5], 8)],
        images=[dict(id=30, file_name='b.jpg', height=60, width=80),
                dict(id=10, file_name='a.jpg', height=50.0, width='100'),
                dict(id=20, file_name='none.jpg', height=50, width=50),
                dict(id=21, file_name='flat.jpg', height=0, width=50),
                dict(id=10, file_name='a.jpg', height=50, width=50)],
        licenses=[], categories=[dict(id=90, name='dog'), dict(id=7, name='cat_(pet)')]))


@pytest.fixture
def mdetr(tmp_path):
    """Two sentences of good and bad boxes, from both sources."""
    def box(image_id, bbox, spans, **more):
        return dict(image_id=image_id, bbox=bbox, category_id=1, tokens_positive=spans, **more)

    return dump(tmp_path / 'mixed.json', dict(
        images=[dict(id='s1', file_name='1.jpg', height=100, width=200, caption=CAPTION,
                     data_source='coco'),
                dict(id='s2', file_name='2.jpg', height=100, width=200, caption='a cat',
                     data_source='vg'),
                dict(id='s3', file_name='2.jpg', height=100, width=200, caption='nothing',
                     data_source='vg')],
        annotations=[
            box('s1', [0, 0, 10, 10], [[0, 8]]), box('s1', [50, 50, 20, 20], [[13, 23]]),
            box('s1', [20, 0, 10, 10], [[0, 8]]),
            box('s1', [60, 60, 20, 20], [[15, 18], [13, 14]]),
            box('s1', [1, 1, 9, 9], [[0, 99]]), box('s1', [1, 1, 9, 9], [[0, 3]], iscrowd=1),
            box('s2', [190, 90, 20, 20], [[0, 5]]),
            box('s3', [5, 5, 1, 20], [[0, 7]]), box('s3', [5, 5, 9, 20], [])],
        categories=[dict(id=1, name='object')]))
