"""The benchmark of shortlists tests each setting on the same images, and times it."""

import json
import re

import pytest

from dev.speed import shortlist as tool
from glip_mm.models.dense_heads import Shortlist


def test_every_setting_is_timed(capsys):
    tool.main('time --nano --size 64 96 --names 50 --sizes 10 --scales 0.5'.split())
    rows = [line.strip('| ').split(' | ') for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[0].strip(' |') for row in rows] == ['all', '10']
    assert all(float(row[-2]) > 0 for row in rows) and rows[0][-1] == '1.00'


def test_annotations_of_some_images(tmp_path):
    rows = dict(images=[dict(id=1), dict(id=2)], categories=[dict(id=1)],
                annotations=[dict(id=i, image_id=i % 2 + 1) for i in range(5)])
    (tmp_path / 'all.json').write_text(json.dumps(rows))
    part = json.loads(open(tool.annotations_of(str(tmp_path / 'all.json'), {2},
                                               str(tmp_path))).read())
    assert part['images'] == [dict(id=2)] and part['categories'] == rows['categories']
    assert [row['id'] for row in part['annotations']] == [1, 3]


@pytest.mark.parametrize('suffix', ['svg', 'png'])
def test_the_curve(tmp_path, suffix):
    row = dict(AP=50., APr=40., APc=45., APf=60., cpu=1.)
    table = [(None, row), (Shortlist(20, .5), dict(row, AP=48.)), (Shortlist(80, .5), row)]
    tool.draw(table, tmp_path / f'curve.{suffix}')
    content = (tmp_path / f'curve.{suffix}').read_bytes()
    assert 1000 < len(content) < 100_000
    if suffix == 'svg':
        assert re.search(rb'<svg', content)


def test_overhead_of_a_long_vocabulary(capsys):
    from dev.speed import overhead
    overhead.main('--names 90 --runs 1'.split())
    rows = [line.strip('| ').split(' | ') for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[0] for row in rows] == ['90', '90'] and int(rows[0][1]) <= 300
    assert all(0 < float(row[2]) < 10_000 for row in rows)
