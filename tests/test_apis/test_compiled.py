"""Compiled models predict the same, or it is said why they are not compiled."""

from copy import deepcopy

import pytest
import torch

from glip_mm.apis import GLIPInferencer

NAMES = ['red circle', 'remote_control']


def same(found, wanted):
    assert len(found) and found.names == wanted.names
    assert found.scores.tolist() == pytest.approx(wanted.scores.tolist(), abs=1e-5)


def test_a_whole_model_is_used_as_it_is(inferencer, pictures, tmp_path, logged):
    compiled = torch.compile(deepcopy(inferencer.model), backend='eager')
    found = GLIPInferencer(compiled, cfg=inferencer.cfg, device='cpu', show_progress=False)
    assert any('torch.compile(model) compiles' in text for text in logged)
    image = f'{pictures}/0.png'
    wanted = inferencer(image, NAMES)[0]
    same(found(image, NAMES)[0], wanted)
    again = GLIPInferencer(found.save_pretrained(tmp_path / 'a'), device='cpu')
    same(again(image, NAMES)[0], wanted)


@pytest.mark.skipif(torch.__version__ < '2.7', reason='see test_models/test_compile.py')
def test_a_part_is_compiled(inferencer, pictures):
    model, graphs = deepcopy(inferencer.model), []

    def eager(graph, example):
        graphs.append(graph)
        return graph.forward
    model.backbone.compile(backend=eager)
    found = GLIPInferencer(model, cfg=inferencer.cfg, device='cpu', show_progress=False)
    image = f'{pictures}/0.png'
    same(found(image, NAMES)[0], inferencer(image, NAMES)[0])
    assert graphs
