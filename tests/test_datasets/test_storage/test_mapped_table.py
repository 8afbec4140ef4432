import errno
import multiprocessing
import os
import pickle

import numpy as np
import pyarrow as pa
import pytest

from glip_mm.datasets.storage import MappedTable, mapped_table, open_or_build

COLUMNS = [('a', pa.int64()), ('b', pa.int32())]


@pytest.fixture
def source(tmp_path):
    path = tmp_path / 'data.jsonl'
    path.write_text('x')
    return path


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(mapped_table, 'BATCH_ROWS', 4)


def build(source, rows, calls=None, **options):
    def make():
        if calls is not None:
            calls.append(1)
        return iter(rows)
    return open_or_build(source.with_suffix('.arrow'), [source], COLUMNS, make, **options)


@pytest.mark.parametrize('count', [0, 1, 4, 5, 11])
def test_rows_come_back(count, source, small_batches):
    table = build(source, [(10 * i, i) for i in range(count)])
    assert len(table) == count
    order = np.random.default_rng(0).permutation(count)
    assert table.take('a', order).tolist() == (10 * order).tolist()
    assert [table.row(i) for i in range(count)] == [dict(a=10 * i, b=i) for i in range(count)]
    assert np.concatenate([[], *table.batches('b')]).tolist() == list(range(count))
    copy = pickle.loads(pickle.dumps(table))
    assert copy.take('b', order).tolist() == order.tolist()


def test_it_is_built_once_and_again_when_the_data_change(source):
    calls = []
    for _ in range(3):
        build(source, [(1, 2)], calls)
    assert len(calls) == 1
    build(source, [(1, 2)], calls, kind='other')
    assert len(calls) == 2
    source.write_text('xy')
    assert len(build(source, [(1, 2), (3, 4)], calls)) == 2
    assert len(calls) == 3


@pytest.mark.parametrize('rest', [b'', b'ARROW1', b'nonsense'])
def test_a_damaged_table_is_built_anew(rest, source):
    build(source, [(1, 2)])
    source.with_suffix('.arrow').write_bytes(rest)
    assert build(source, [(1, 2)]).row(0) == dict(a=1, b=2)


def test_a_failed_build_leaves_what_was_there(source):
    build(source, [(1, 2)])
    before = source.with_suffix('.arrow').read_bytes()
    source.write_text('changed')

    def rows():
        yield 3, 4
        raise OSError('disk full')
    with pytest.raises(OSError, match='disk full'):
        open_or_build(source.with_suffix('.arrow'), [source], COLUMNS, rows)
    assert source.with_suffix('.arrow').read_bytes() == before
    assert not list(source.parent.glob('.*.tmp'))


def _build_slowly(path, barrier, log):
    def rows():
        with open(log, 'a') as file:
            file.write('x')
        barrier_time = 0.2
        import time
        time.sleep(barrier_time)
        yield 1, 2
    barrier.wait()
    assert len(open_or_build(path.with_suffix('.arrow'), [path], COLUMNS, rows)) == 1


def test_processes_at_once_build_one_table(source, tmp_path):
    context = multiprocessing.get_context('fork')
    barrier, log = context.Barrier(3), tmp_path / 'log'
    jobs = [context.Process(target=_build_slowly, args=(source, barrier, log)) for _ in range(3)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert [job.exitcode for job in jobs] == [0, 0, 0]
    assert log.read_text() == 'x'


@pytest.mark.parametrize('number', [errno.EACCES, errno.EROFS])
def test_a_folder_without_write_access(number, source, monkeypatch):
    def refuse(path):
        raise OSError(number, os.strerror(number), str(path))
    build(source, [(1, 2)])
    monkeypatch.setattr(mapped_table, 'exclusive', refuse)
    assert build(source, [(1, 2)]).row(0) == dict(a=1, b=2)  # nothing has to be written
    source.write_text('changed')
    with pytest.raises(PermissionError, match=f'{os.strerror(number)}.*index_dir'):
        build(source, [(1, 2)])


def test_what_was_noted_while_it_was_built(source, small_batches):
    notes = {}

    def rows():
        yield from ((i, i) for i in range(8))  # whole batches
        notes['x'] = 'broken'
    for _ in range(2):
        table = open_or_build(source.with_suffix('.arrow'), [source], COLUMNS, rows, notes=notes)
        assert table.notes == {'x': 'broken'} and len(table) == 8


def test_a_worker_does_not_take_a_table_of_other_data(source):
    sent = pickle.dumps(build(source, [(1, 2)]))
    source.write_text('changed')
    build(source, [(3, 4)])
    with pytest.raises(RuntimeError, match='built anew because its data changed'):
        pickle.loads(sent)


def test_types_are_those_of_the_columns(source):
    with pytest.raises(pa.ArrowInvalid):
        build(source, [(1, 2**40)])
    assert isinstance(build(source, [(2**40, 1)]), MappedTable)
