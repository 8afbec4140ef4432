"""Suppression in an ONNX graph of its own, against the one in PyTorch."""

import numpy as np
import pytest
import torch

onnx = pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')

from glip_mm.deploy import Suppression, suppress  # noqa: E402
from glip_mm.deploy.onnx_export import session  # noqa: E402
from glip_mm.deploy.onnx_nms import append_suppression  # noqa: E402

INPUTS = ('candidate_boxes', 'candidate_scores', 'candidate_labels')


def suppressing_session(labels, num_candidates, rule):
    helper = onnx.helper
    prompts = len(labels)
    values = [helper.make_tensor_value_info(name, kind, [prompts, num_candidates, *shape])
              for name, kind, shape in zip(INPUTS, (1, 1, 7), ((4,), (), ()))]
    graph = helper.make_graph([], 'suppression', values, [])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)])
    model.ir_version = 8
    append_suppression(model, INPUTS, labels, num_candidates, rule)
    onnx.checker.check_model(model)
    return session(model.SerializeToString())


def candidates(prompts, count, names, seed):
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, 60, (prompts, count, 2))
    sides = rng.uniform(5, 40, (prompts, count, 2))
    boxes = np.concatenate((centres, centres + sides), axis=-1).astype(np.float32)
    scores = rng.uniform(0.1, 1, (prompts, count)).astype(np.float32)
    scores[rng.random((prompts, count)) < 0.2] = 0  # no candidates
    local = rng.integers(0, names, (prompts, count))
    table = np.arange(prompts * names).reshape(prompts, names)
    return boxes, scores, np.take_along_axis(table, local, axis=1), table


@pytest.mark.parametrize('prompts', [1, 3])
@pytest.mark.parametrize('rule', [
    Suppression(), Suppression(0.3, 7), Suppression(None, 20), Suppression(0.5, -1),
    Suppression(0.6, 15, 0.4), Suppression(0.6, 15, 0.4, 10), Suppression(0.6, 15, None, 10)])
@pytest.mark.parametrize('seed', [0, 1])
def test_equals_pytorch(prompts, rule, seed):
    boxes, scores, labels, table = candidates(prompts, 80, 3, seed)
    run = suppressing_session(table, 80, rule)
    got = run.run(None, dict(zip(INPUTS, (boxes, scores, labels))))
    wanted = suppress(*map(torch.from_numpy, (boxes, scores, labels)), rule)
    assert len(got[1]) > 5
    for ours, theirs in zip(got, wanted):
        np.testing.assert_array_equal(ours, theirs.numpy())


def test_suppression_is_within_a_name_and_at_inclusive_widths():
    # 9 of 11 or 10 of 12 pixels: IoU 0.818 without and 0.833 with the last pixel
    boxes = np.array([[[0, 0, 11, 1], [1, 0, 12, 1], [0, 0, 11, 1]]], np.float32)
    scores = np.array([[0.9, 0.8, 0.7]], np.float32)
    labels = np.array([[0, 0, 1]])
    for threshold, kept in ((0.82, [0, 1]), (0.84, [0, 0, 1])):
        run = suppressing_session(np.array([[0, 1]]), 3, Suppression(threshold))
        assert run.run(None, dict(zip(INPUTS, (boxes, scores, labels))))[2].tolist() == kept


def test_nothing_found():
    boxes, scores, labels, table = candidates(2, 20, 3, 0)
    run = suppressing_session(table, 20, Suppression(0.6, 15, 0.4))
    got = run.run(None, dict(zip(INPUTS, (boxes, scores * 0, labels))))
    assert [part.shape for part in got] == [(0, 4), (0,), (0,)]


def test_names_of_padding_own_nothing():
    boxes, scores, labels, table = candidates(1, 30, 2, 0)
    padded = np.concatenate((table, [[-1, -1]]), axis=1)
    got = [suppressing_session(t, 30, Suppression()).run(
        None, dict(zip(INPUTS, (boxes, scores, labels)))) for t in (table, padded)]
    for one, other in zip(*got):
        np.testing.assert_array_equal(one, other)
