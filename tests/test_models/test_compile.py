"""MMEngine's ``compile=True`` compiles ``train_step``: same losses."""

import logging
from copy import deepcopy
from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner

from .nano import build_nano, data_sample, image


@pytest.mark.slow
@pytest.mark.skipif(
    torch.__version__ < '2.7', reason='Dynamo of torch 2.6: VariableTracker.__init__() got an '
    "unexpected keyword argument 'dynamic_attributes'")
def test_compiled_step_has_the_same_losses(tiny_bert):
    torch.compiler.reset()  # of what other tests compiled
    model = build_nano(tiny_bert, levels=3, blocks=1)  # each is traced anew
    # so is the step of each parameter
    wrapper = OptimWrapper(torch.optim.SGD(model.bbox_head.bbox_pred.parameters(), lr=0.))

    def step():
        torch.manual_seed(0)
        data = dict(inputs=[image(0)], data_samples=[
            data_sample(('cat', 'dog'), [[9, 9, 50, 50]], [1])])
        return {k: v.item() for k, v in model.train_step(data, wrapper).items()}

    wanted, graphs = step(), []

    def eager(graph, example):  # traces and breaks graphs as any other and needs no compiler
        graphs.append(graph)
        return graph.forward

    model.train_step = torch.compile(model.train_step, backend=eager)
    assert step() == pytest.approx(wanted, rel=1e-4)
    assert graphs


@pytest.mark.slow
@pytest.mark.skipif(torch.__version__ < '2.7', reason='see above')
def test_a_runner_with_compile_predicts_the_same(tiny_bert):
    model = build_nano(tiny_bert, levels=3, blocks=1).eval()
    model.test_cfg = dict(score_thr=0.)
    data = dict(inputs=[image(0)], data_samples=[data_sample(('cat', 'dog'))])
    wanted = model.test_step(deepcopy(data))[0].pred_instances.scores
    runner = SimpleNamespace(cfg=dict(compile=dict(backend='eager')), model=model,
                             logger=logging.getLogger())
    Runner._maybe_compile(runner, 'test_step')  # as Runner.test() calls it
    assert hasattr(model.test_step, '_torchdynamo_orig_callable')
    found = model.test_step(deepcopy(data))[0].pred_instances.scores
    assert len(found) and found.tolist() == pytest.approx(wanted.tolist(), abs=1e-5)
