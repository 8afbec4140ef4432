"""MMEngine's logs: keys, epochs, resumed runs, broken lines."""

import json

import numpy as np
import pytest

from glip_mm.visualization.training_log import read_log


def train_row(iteration, loss, epoch=None):
    row = dict(lr=0.1, loss=loss, time=0.5, iter=iteration, step=iteration)
    return row if epoch is None else dict(row, epoch=epoch)


def write(folder, start, rows, scalars=False):
    file = folder / start / 'vis_data' / ('scalars.json' if scalars else f'{start}.json')
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text('\n'.join(json.dumps(row) for row in rows) + '\n')
    return file


EPOCHS = [train_row(5, 3., 1), train_row(10, 2., 1),
          {'seen/coco/bbox_mAP': 0.1, 'unseen/coco/bbox_mAP': 0.05, 'time': 9., 'step': 1},
          train_row(15, 1., 2), train_row(20, 0.5, 2), {'seen/coco/bbox_mAP': 0.3, 'step': 2}]


def test_training_and_validation_rows(tmp_path):
    log = read_log(write(tmp_path, '1', EPOCHS))
    loss = log.series('loss')
    np.testing.assert_array_equal(loss.iterations, [5, 10, 15, 20])
    np.testing.assert_array_equal(loss.epochs, [1, 1, 2, 2])
    ap = log.series('seen/coco/bbox_mAP')
    np.testing.assert_array_equal(ap.values, [0.1, 0.3])
    # the step of a validation counts epochs; it came after 10 iterations
    np.testing.assert_array_equal(ap.iterations, [10, 20])
    np.testing.assert_array_equal(ap.epochs, [1, 2])
    # the time of a validation is not that of an iteration
    assert 9. not in log.series('time').values
    assert 'iter' not in log.keys and 'step' not in log.keys
    np.testing.assert_array_equal(log.series('loss', start_epoch=2).values, [1., 0.5])


def test_training_by_iterations_counts_no_epochs(tmp_path):
    rows = [train_row(5, 3.), {'coco/bbox_mAP': 0.1, 'step': 8}, train_row(10, 2.)]
    log = read_log(write(tmp_path, '1', rows))
    ap = log.series('coco/bbox_mAP')
    assert ap.iterations.tolist() == [8] and np.isnan(ap.epochs).all()
    assert len(log.series('loss', start_epoch=3).values) == 2


def test_keys_are_found_by_their_end_or_a_pattern(tmp_path):
    log = read_log(write(tmp_path, '1', EPOCHS))
    assert log.match('loss') == ['loss']
    assert log.match('bbox_mAP') == ['seen/coco/bbox_mAP', 'unseen/coco/bbox_mAP']
    assert log.match('*seen/coco/bbox_mAP') == ['seen/coco/bbox_mAP', 'unseen/coco/bbox_mAP']
    with pytest.raises(KeyError, match='seen/coco/bbox_mAP'):
        log.match('bbox_map')


def test_a_resumed_run_replaces_what_it_did_again(tmp_path):
    write(tmp_path, '20260101_000000', EPOCHS[:4] + [train_row(18, 77., 2)])
    write(tmp_path, '20260101_000000', [dict(loss=-1, iter=1, step=1)], scalars=True)
    write(tmp_path, '20260102_000000', [train_row(15, 1.5, 2), train_row(20, 0.5, 2)])
    loss = read_log(tmp_path).series('loss')
    assert loss.iterations.tolist() == [5, 10, 15, 20]
    assert loss.values.tolist() == [3., 2., 1.5, 0.5]
    assert read_log(tmp_path).series('seen/coco/bbox_mAP').values.tolist() == [0.1]


def test_half_a_line_at_the_end_is_skipped_elsewhere_an_error(tmp_path):
    file = write(tmp_path, '1', EPOCHS[:2])
    file.write_text(file.read_text() + '{"loss": 0.')
    assert len(read_log(file).rows) == 2
    file.write_text('{"loss": 0.\n' + json.dumps(EPOCHS[0]) + '\n')
    with pytest.raises(ValueError, match=r'1\.json:1 '):
        read_log(file)


def test_no_log(tmp_path):
    with pytest.raises(FileNotFoundError, match='vis_data'):
        read_log(tmp_path)
    with pytest.raises(FileNotFoundError, match='neither'):
        read_log(tmp_path / 'none')
