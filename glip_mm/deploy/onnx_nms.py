"""NMS inside an ONNX graph, added node by node: no exporter has to know about it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .packages import require
from .suppression import Suppression

OUTPUTS = ('boxes', 'scores', 'labels')


class GraphTail:
    """Appends nodes to an ONNX graph.

    Args:
        graph: The graph, changed in place.
        prefix: prefix of the names of all new nodes and values.
    """

    def __init__(self, graph: Any, prefix: str) -> None:
        self.graph, self.prefix, self.count = graph, prefix, 0
        self.helper = require('onnx').helper
        self.from_array = require('onnx').numpy_helper.from_array

    def constant(self, value: Any, dtype: type) -> str:
        """Add a constant and return its name."""
        name = self._name('constant')
        self.graph.initializer.append(self.from_array(np.asarray(value, dtype), name))
        return name

    def add(self, kind: str, *inputs: str, outputs: int | Sequence[str] = 1,
            **attributes: Any) -> Any:
        """Add a node and return the name of its output, or the names if there are several."""
        if isinstance(outputs, int):
            outputs = [self._name(kind) for _ in range(outputs)]
        self.graph.node.append(self.helper.make_node(
            kind, list(inputs), list(outputs), name=self._name(kind), **attributes))
        return outputs[0] if len(outputs) == 1 else outputs

    def _name(self, kind: str) -> str:
        self.count += 1
        return f'{self.prefix}{kind}_{self.count}'


#: Input of files of one size with NMS: height and width of the image in the padded input.
SHOWN = 'shown'


def append_suppression(model: Any, inputs: Sequence[str], labels: np.ndarray, num_candidates: int,
                       rule: Suppression, padded: bool = False) -> None:
    """Add NMS to a graph that outputs candidates; its outputs become detections.

    The same as :func:`suppress`. Boxes are half open here, so that the operator's plain widths
    are GLIP's widths with the 1 added.

    Args:
        model: An ONNX ``ModelProto`` of opset 13 to 17 or newer, changed in place.
        inputs: Names of its boxes ``[K, M, 4]``, scores ``[K, M]`` and labels ``[K, M]``.
        labels: ``[K, E]`` labels of the names of each prompt, -1 for none.
        num_candidates: ``M``.
        rule: Thresholds and limits.
        padded: Add an input :data:`SHOWN`, to which boxes are limited before NMS, as in the model.
    """
    graph = model.graph
    tail = GraphTail(graph, 'suppress/')
    boxes, scores, names = inputs
    prompts, most = len(labels), rule.max_per_img
    if padded:
        graph.input.append(tail.helper.make_tensor_value_info(SHOWN, 7, [2]))  # int64
        limit = tail.add('Cast', tail.add('Gather', SHOWN, tail.constant([1, 0, 1, 0], np.int64)),
                         to=1)  # x, y, x, y
        # boxes are half open here: the left and upper edges are at most the last pixel
        limit = tail.add('Sub', limit, tail.constant([1, 1, 0, 0], np.float32))
        boxes = tail.add('Min', boxes, limit)
    if rule.iou_threshold is not None:
        # a row of scores for each name: the operator suppresses within a row
        own = tail.add('Equal', tail.constant(labels[..., None], np.int64),
                       tail.add('Unsqueeze', names, tail.constant([1], np.int64)))  # [K, E, M]
        by_name = tail.add('Where', own,
                           tail.add('Unsqueeze', scores, tail.constant([1], np.int64)),
                           tail.constant(0, np.float32))
        kept = _suppress(tail, boxes, by_name, num_candidates, rule.iou_threshold)
        where = tail.add('Gather', kept, tail.constant([0, 2], np.int64), axis=1)  # [S, 2]
        zeros = tail.add('Mul', scores, tail.constant(0, np.float32))
        scores = tail.add('ScatterND', zeros, where, tail.add('GatherND', scores, where))
    count = num_candidates if most < 0 else min(most, num_candidates)
    best, index = tail.add('TopK', scores, tail.constant([count], np.int64), outputs=2)  # [K, n]
    first = tail.constant(np.arange(prompts)[:, None] * num_candidates, np.int64)
    index = tail.add('Reshape', tail.add('Add', index, first), tail.constant([-1], np.int64))
    best = tail.add('Reshape', best, tail.constant([-1], np.int64))
    if prompts > 1:
        best, order = tail.add('TopK', best, tail.constant([prompts * count], np.int64), outputs=2)
        index = tail.add('Gather', index, order)
    # best first, so what was suppressed is at the end
    found = tail.add('Cast', tail.add('Greater', best, tail.constant(0, np.float32)), to=7)
    found = tail.add('ReduceSum', found, tail.constant([0], np.int64), keepdims=1)
    best, index = _first(tail, (best, index), found)
    all_boxes = tail.add('Reshape', boxes, tail.constant([-1, 4], np.int64))
    if prompts > 1:
        best, index = _merge(tail, best, index, all_boxes, prompts * count, rule)
    tail.add('Gather', all_boxes, index, outputs=OUTPUTS[:1])
    tail.add('Identity', best, outputs=OUTPUTS[1:2])
    tail.add('Gather', tail.add('Reshape', names, tail.constant([-1], np.int64)), index,
             outputs=OUTPUTS[2:])
    del graph.output[:]
    graph.output.extend(
        tail.helper.make_tensor_value_info(name, kind, ['n', *shape])
        for name, kind, shape in zip(OUTPUTS, (1, 1, 7), ((4,), (), ())))  # float, float, int64


def _merge(tail: GraphTail, best: str, index: str, boxes: str, count: int,
           rule: Suppression) -> list[str]:
    if rule.merge_iou_threshold is not None:
        chosen = tail.add('Unsqueeze', tail.add('Gather', boxes, index),
                          tail.constant([0], np.int64))
        kept = _suppress(tail, chosen,
                         tail.add('Unsqueeze', best, tail.constant([0, 1], np.int64)), count,
                         rule.merge_iou_threshold)
        order = tail.add('Gather', kept, tail.constant(2, np.int64), axis=1)
        best, index = tail.add('Gather', best, order), tail.add('Gather', index, order)
    if rule.merge_max_per_img >= 0:
        return _first(tail, (best, index), tail.constant([rule.merge_max_per_img], np.int64))
    return [best, index]


def _suppress(tail: GraphTail, boxes: str, scores: str, most: int, iou_threshold: float) -> str:
    """Add NMS; return (image, row, box) of what is kept, ``[S, 3]``; scores of 0 are not."""
    return tail.add('NonMaxSuppression', boxes, scores, tail.constant([most], np.int64),
                    tail.constant([iou_threshold], np.float32), tail.constant([0], np.float32))


def _first(tail: GraphTail, values: Sequence[str], count: str) -> list[str]:
    start = tail.constant([0], np.int64)
    return [tail.add('Slice', value, start, count) for value in values]
