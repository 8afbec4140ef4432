"""A short attack finds nothing; and the harness finds each kind of fault where there is one."""

import os
import random
import time
from types import SimpleNamespace

import pytest

from dev.robustness import running
from dev.robustness.__main__ import attack, table
from dev.robustness.kinds.loaded import KINDS
from dev.robustness.running import import_all
from dev.robustness.tries import FAULTS, Refusal, Try, either, equals, judge

pytestmark = pytest.mark.skipif(not hasattr(os, 'fork'), reason='tries are forked')


@pytest.fixture(scope='module', autouse=True)
def imported():
    import_all()


def outcomes(results):
    return [result['outcome'] for result in results]


@pytest.mark.parametrize('kind', ['odvg', 'coco', 'tsv', 'images', 'stored_configs', 'requests'])
def test_a_short_attack(kind, tmp_path):
    if kind == 'requests':
        pytest.importorskip('fastapi')
        pytest.importorskip('httpx')
    said = []
    results = attack([kind], 8, 3, tmp_path, say=said.append)
    assert not said and len(results) == 8
    assert table(results).splitlines()[-1].startswith('| all | 8 | ')


def test_a_try_is_drawn_from_its_seed(tmp_path):
    words = [[one['what'] for one in attack(['odvg'], 3, seed, tmp_path / str(seed), only)]
             for seed, only in ((1, None), (1, [2]), (2, [2]))]
    assert words[0][2:] == words[1] != words[2]


def hang():
    while True:
        time.sleep(1)


def fail():
    raise Refusal('a.json is broken')


BROKEN = [
    (lambda: {}['x'], equals(1), None, 'traceback'),
    (lambda: os.kill(os.getpid(), 9), equals(1), None, 'traceback'),
    (lambda: 2, equals(1), None, 'silently wrong'),
    (lambda: 2, None, ('a.json', ), 'silently wrong'),
    (fail, equals(1), None, 'wrongly refused'),
    (fail, None, ('b.json', ), 'traceback'),
    (hang, equals(1), None, 'hang'),
    (lambda: os.system('true'), equals(0), None, 'code ran / wrote outside'),
    (lambda: open('/tmp/../tmp/canary', 'a').close(), equals(None), None,
     'code ran / wrote outside'),
    (lambda: 1, equals(1), None, 'right value'), (fail, None, ('a.json', ), 'clear error')]


@pytest.mark.parametrize('act, wrong, named, outcome', BROKEN)
def test_faults_are_found(act, wrong, named, outcome, tmp_path, monkeypatch):
    if outcome == 'hang':
        monkeypatch.setattr(running, 'CPU_SECONDS', 1)
        monkeypatch.setattr(running, 'PATIENCE', 1)
    module = SimpleNamespace(TITLE='x', prepare=lambda world: None,
                             make=lambda place: Try('broken', act, wrong, named))
    monkeypatch.setitem(KINDS, 'broken', module)
    said = []
    found = attack(['broken'], 1, 0, tmp_path, say=said.append)
    assert outcomes(found) == [outcome], found
    assert bool(said) == (outcome in FAULTS)
    assert found[0]['command'] == 'python -m dev.robustness --kind broken --seed 0 --only 0'


def test_what_is_outside_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setitem(KINDS, 'broken', SimpleNamespace(
        TITLE='x', prepare=lambda world: None, make=lambda place: Try(
            'a reader', lambda: (place.outside / 'secret.txt').read_text(), equals('x'))))
    assert outcomes(attack(['broken'], 1, 0, tmp_path, say=str)) == ['code ran / wrote outside']


def test_a_reader_that_moves_boxes(tmp_path, monkeypatch):
    from glip_mm.datasets import grounding_dataset
    sound = grounding_dataset.check_row

    def broken(row, label_map=None):
        check = sound(row, label_map)
        for one in (check.record or {}).get('detection', {}).get('instances', ()):
            one['bbox'] = [v + .5 for v in one['bbox']]
        return check
    monkeypatch.setattr(grounding_dataset, 'check_row', broken)
    assert 'silently wrong' in outcomes(attack(['odvg'], 12, 3, tmp_path, say=str))


def test_a_reader_that_does_not_expect_a_row(tmp_path, monkeypatch):
    monkeypatch.setattr('glip_mm.datasets.grounding_dataset.check_row',
                        lambda row, label_map=None: row['filename'] + 7)
    assert 'traceback' in outcomes(attack(['odvg'], 12, 3, tmp_path, say=str))


def test_one_of_several_values():
    one = Try('x', lambda: random.choice([1, 2]), either(equals(1), equals(2)))
    assert judge(one) == ('right value', '')
