import io
import os
import zipfile

import numpy as np
import pytest

from glip_mm.datasets.data_error import DataError
from glip_mm.engine.resumable_test_loop import check_run
from glip_mm.evaluation.fingerprint import key_of
from glip_mm.evaluation.predictions import Prediction, PredictionStore, PredictionWriter


def prediction(index, count=2, **extra):
    rng = np.random.default_rng(index)
    return Prediction(index, extra.pop('img_id', index + 10), f'images/{index}.jpg', (4, 5),
                      rng.random((count, 4), dtype=np.float32),
                      rng.random(count, dtype=np.float32),
                      rng.integers(0, 9, count).astype(np.int32), **extra)


def same(a, b):
    for x, y in zip(a, b):
        if isinstance(x, np.ndarray):
            assert x.dtype == y.dtype
            np.testing.assert_array_equal(x, y)
        elif not isinstance(x, dict):
            assert x == y
            assert type(x) is type(y)


def write(folder, rows, rank=0, each=2, meta=None):
    writer = PredictionWriter(folder, meta, rank)
    for i, row in enumerate(rows):
        writer.add(row)
        if i % each == each - 1:
            writer.flush()
    writer.close()


def test_comes_back_in_order_from_several_processes(tmp_path):
    rows = [prediction(i, count=i % 3) for i in range(9)]
    write(tmp_path, rows[::2], 0, meta=dict(model='nano'))
    write(tmp_path, rows[1::2], 1)
    store = PredictionStore(tmp_path)
    assert store.meta == dict(model='nano')
    assert len(store) == 9
    assert store.done == set(range(9))
    for a, b in zip(store, rows):
        same(a._replace(meta=None), b)


def test_fields_keep_their_types(tmp_path):
    meta = dict(ori_shape=(4, 5), scale_factor=np.array([1., .5]), text=('a', 'b'),
                phrase_types=[['people'], []], by_label={1: 'x'}, prompt=object())
    row = prediction(0, img_id='two', names=('a cat', 'it'), meta=meta,
                     gt_bboxes=np.zeros((0, 4), np.float32), gt_labels=np.zeros(0, np.int64))
    write(tmp_path, [row, prediction(1)], meta={})
    first, second = PredictionStore(tmp_path)
    same(first, row)
    assert first.meta['text'] == ('a', 'b')
    assert first.meta['by_label'] == {1: 'x'}
    assert first.meta['phrase_types'] == [['people'], []]
    np.testing.assert_array_equal(first.meta['scale_factor'], [1, .5])
    assert 'prompt' not in first.meta
    assert first.gt_labels.shape == (0, )
    assert second.gt_labels is None
    assert second.names is None


def test_truth_stays_with_its_image(tmp_path):
    rows = [prediction(i, gt_bboxes=np.full((n, 4), i, np.float32) if n is not None else None,
                       gt_labels=np.full(n, i, np.int64) if n is not None else None)
            for i, n in enumerate([2, None, 0, 3])]
    write(tmp_path, rows, each=4, meta={})
    for a, b in zip(PredictionStore(tmp_path), rows):
        same(a._replace(meta=None), b)


def test_a_second_writer_adds_and_repeats_are_given_once(tmp_path):
    write(tmp_path, [prediction(0), prediction(1)], meta={})
    write(tmp_path, [prediction(1), prediction(2)])
    write(tmp_path, [prediction(2)], rank=1)
    assert [p.index for p in PredictionStore(tmp_path)] == [0, 1, 2]


def test_what_was_not_flushed_is_absent(tmp_path):
    writer = PredictionWriter(tmp_path, {})
    writer.add(prediction(0))
    writer.flush()
    writer.add(prediction(1))
    assert PredictionStore(tmp_path).done == {0}


def test_few_parts_are_held(tmp_path):
    write(tmp_path, [prediction(i) for i in range(40)], each=1, meta={})
    store = PredictionStore(tmp_path)
    for _ in store:
        assert len(store._open) <= 3


def test_refusals(tmp_path):
    with pytest.raises(FileNotFoundError, match='has no meta.json'):
        PredictionStore(tmp_path)
    writer = PredictionWriter(tmp_path, {})
    with pytest.raises(ValueError, match='2 boxes, 1 scores'):
        writer.add(prediction(0)._replace(scores=np.ones(1, np.float32)))
    (tmp_path / 'part-0-000007.npz').write_bytes(b'PK cut')
    with pytest.raises(ValueError, match='part-0-000007.npz.*damaged'):
        PredictionStore(tmp_path)


def rewrite(path, **changed):
    """Write a part again with members of these bytes, compressed."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**members, **{f'{k}.npy': v for k, v in changed.items()}}.items():
            archive.writestr(name, content)


def test_a_part_that_would_fill_the_memory(tmp_path):
    write(tmp_path, [prediction(0)], meta={})
    path, = tmp_path.glob('*.npz')
    whole = path.read_bytes()
    rewrite(path, scores=bytes(1 << 24))
    with pytest.raises(ValueError, match=r'is damaged \(its [0-9,]+ bytes stand for 16,7'):
        PredictionStore(tmp_path)
    # the header alone: NumPy would reserve what it says
    path.write_bytes(whole)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, dict(descr='<f4', fortran_order=False, shape=(1 << 50, )))
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in members.items():
            archive.writestr(name, header.getvalue() if name == 'scores.npy' else content)
    with pytest.raises(ValueError, match="'scores' says that it has 1,125,899,906,842,624 values"):
        PredictionStore(tmp_path)


@pytest.mark.parametrize('changed', [
    dict(records=b''), dict(records=b'[' * 100_000), dict(records=b'{}'), dict(records=b'\xff'),
    dict(records=b'{"records": 3, "texts": [{"dict": 1}]}'), dict(counts=None)])
def test_a_part_with_other_content(tmp_path, changed):
    write(tmp_path, [prediction(0)], meta={})
    path, = tmp_path.glob('*.npz')
    with np.load(path) as content:
        arrays = {name: content[name] for name in content.files}
    for name, text in changed.items():
        arrays.pop(name)
        if text is not None:
            arrays[name] = np.frombuffer(text, np.uint8)
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match='is damaged .*: delete it and run the same test again'):
        PredictionStore(tmp_path)[0]


def damages():
    """What was done to a part -> its content by name."""
    def change(name, value):
        return lambda arrays: arrays.update({name: np.asarray(value)})
    yield 'no records', lambda arrays: arrays.pop('records')
    yield 'no scores', lambda arrays: arrays.pop('scores')
    yield 'other counts', change('counts', [2, 9])
    yield 'negative counts', change('counts', [-1, 5])
    yield 'too few rows', change('index', [0])
    yield 'position as text', change('index', ['0', '1'])
    yield 'a position below 0', change('index', [-1, 1])
    yield 'a position of no data set', change('index', [0, 1 << 40])
    yield 'boxes of five', change('bboxes', np.zeros((4, 5), np.float32))
    yield 'NaN', change('scores', np.full(4, np.nan, np.float32))
    yield 'a label below 0', change('labels', np.full(4, -5, np.int32))
    yield 'no JSON', change('records', np.frombuffer(b'{', np.uint8))
    yield 'deep JSON', change('records', np.frombuffer(b'[' * 100_000, np.uint8))
    yield 'other JSON', change('records', np.frombuffer(b'[1]', np.uint8))
    yield 'objects', change('index', np.array([print, None]))


@pytest.mark.parametrize('damage', [pytest.param(change, id=what) for what, change in damages()])
def test_a_part_that_does_not_fit_together_is_named(tmp_path, damage):
    write(tmp_path, [prediction(0), prediction(1)], meta={})
    path = tmp_path / 'part-0-000000.npz'
    arrays = dict(np.load(path))
    damage(arrays)
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match='part-0-000000.npz.*damaged.*delete it and run the same'):
        list(PredictionStore(tmp_path))


@pytest.mark.parametrize('content', [b'', b'{', b'[]', b'null', b'{"fingerprint": 3}', b'\xff',
                                     b'[' * 100_000, b'{"num_images": "\\u200b"}',
                                     b'{"datasets": 3}', b'{"datasets": [{"num_images": "3"}]}'])
def test_a_broken_meta_is_named(tmp_path, content):
    (tmp_path / 'meta.json').write_bytes(content)
    with pytest.raises(ValueError, match='meta.json.* is damaged'):
        PredictionStore(tmp_path)


@pytest.mark.parametrize('content', [b'', b'PK', bytes(100)])
def test_an_empty_part_is_named(tmp_path, content):
    write(tmp_path, [prediction(0)], meta={})
    (tmp_path / 'part-0-000000.npz').write_bytes(content)
    with pytest.raises(ValueError, match='part-0-000000.npz.*damaged'):
        PredictionStore(tmp_path)


def test_a_pipe_is_no_part(tmp_path):
    write(tmp_path, [prediction(0)], meta={})
    os.mkfifo(tmp_path / 'part-0-000001.npz')  # reading it would wait forever
    assert PredictionStore(tmp_path).done == {0}


def test_predictions_that_are_no_numbers_are_not_stored(tmp_path):
    bad = prediction(3)._replace(scores=np.array([0.5, np.nan], np.float32))
    with pytest.raises(ValueError, match="image 13 .'images/3.jpg'. are NaN or infinite"):
        PredictionWriter(tmp_path, {}).add(bad)


def test_parts_of_another_run_are_found(tmp_path):
    first, second = dict(weights='a'), dict(weights='b')
    writer = PredictionWriter(tmp_path, dict(fingerprint=first), 0, key_of(first))
    writer.add(prediction(0))
    writer.flush()
    check_run(PredictionStore(tmp_path), first)
    other = PredictionWriter(tmp_path, None, 0, key_of(second))
    other.add(prediction(1))
    other.flush()
    with pytest.raises(DataError, match='another run in 1 parts, the first is part-0-000001.npz'):
        check_run(PredictionStore(tmp_path), first)
    PredictionWriter(tmp_path, dict(fingerprint=second))
    with pytest.raises(DataError, match='replaced by another run during this one:\n  weights: not'):
        check_run(PredictionStore(tmp_path), first)


def test_what_a_killed_process_began_is_deleted(tmp_path):
    for name in ('.part-0-000003.npz.99999977.tmp', '.part-1-000003.npz.99999978.tmp',
                 '.mine.tmp'):
        (tmp_path / name).touch()
    PredictionWriter(tmp_path, {})
    assert sorted(os.listdir(tmp_path)) == ['.mine.tmp', '.part-1-000003.npz.99999978.tmp',
                                            'meta.json']


@pytest.mark.parametrize('error', [OSError(24, 'Too many open files'), MemoryError(),
                                   OSError(5, 'Input/output error')])
def test_an_error_of_the_system_is_no_damage(tmp_path, monkeypatch, error):
    """Nobody is told to delete a file that may be sound."""
    writer = PredictionWriter(tmp_path, {})
    writer.add(prediction(0))
    writer.close()

    def load(*args, **options):
        raise error
    monkeypatch.setattr(np, 'load', load)
    with pytest.raises(type(error)) as caught:
        PredictionStore(tmp_path)
    assert caught.value is error
