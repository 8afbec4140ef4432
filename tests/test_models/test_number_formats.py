"""Converted and quantised models: they train and predict about what they do in float32."""

from collections import Counter

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import nn

from glip_mm.ops.matrix_products import Float32Linear

from .nano import build_nano, data_sample, image, losses_of, predict

NAMES = ('cat', 'dog', 'a red house')
SWIN = dict(backbone=dict(type='SwinTransformer', embed_dims=24, depths=[1, 1, 1, 1],
                          num_heads=[1, 2, 3, 4], window_size=4, out_indices=(1, 2, 3)),
            in_channels=(48, 96, 192))
KINDS = dict(fused=SWIN, unfused=dict(fuse=False), class_texts=dict(fuse=False, class_texts={}))
#: Scores of these models differ from float32's by a fifth of it at most.
TOLERANCE = {torch.bfloat16: 1e-2, torch.float16: 1e-3}


def probabilities(model):
    """Probabilities of every word at every anchor."""
    data = model.eval().data_preprocessor(
        dict(inputs=[image(0), image(1)], data_samples=[data_sample(NAMES)] * 2), False)
    with torch.no_grad():
        levels = model(**data, mode='tensor')
    assert {level.logits.dtype for level in levels} == {torch.float32}
    return torch.cat([level.logits for level in levels], dim=1).sigmoid()


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('dtype', TOLERANCE, ids=str)
def test_a_converted_model_predicts_about_the_same(tiny_bert, kind, dtype):
    model = build_nano(tiny_bert, **KINDS[kind], test_cfg=dict(score_thr=0.))
    wanted = probabilities(model)
    model.to(dtype)
    torch.testing.assert_close(probabilities(model), wanted, rtol=0, atol=TOLERANCE[dtype])
    found, = predict(model, [image(0)], [data_sample(NAMES)])
    assert len(found.pred_instances) > 0
    assert found.pred_instances.scores.dtype == found.pred_instances.bboxes.dtype == torch.float32


@pytest.mark.parametrize('dtype', TOLERANCE, ids=str)
@pytest.mark.parametrize('cast_inputs', [False, True])
def test_a_converted_model_trains(tiny_bert, dtype, cast_inputs):
    """As DeepSpeed's bf16 and fp16 do it: the whole module is converted, and maybe its inputs."""
    model = build_nano(tiny_bert, **SWIN, mlm_head=dict(mask_probability=1.0), contrastive_loss={},
                       inter_image_loss={}, prompt_table={}).to(dtype).train()
    samples = [data_sample(('cat', 'dog'), [[8, 8, 56, 56]], [0])]
    data = model.data_preprocessor(dict(inputs=[image(0)], data_samples=samples), True)
    if cast_inputs:
        data['inputs'] = data['inputs'].to(dtype)
    before = {name: p.clone() for name, p in model.named_parameters()}
    losses = model(**data, mode='loss')
    assert all(v.dtype == torch.float32 and v.isfinite() for v in losses.values())
    assert losses['loss_mlm'] > 1
    sum(losses.values()).backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    assert all(p.dtype == dtype and p.isfinite().all() for p in model.parameters())
    moved = [not torch.equal(p, before[name]) for name, p in model.named_parameters()]
    assert sum(moved) > 0.8 * len(moved)


def test_a_model_in_bfloat16_learns(tiny_bert):
    model = build_nano(tiny_bert).bfloat16().train()
    nn.init.normal_(model.bbox_head.text_projection.weight, std=0.05)
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9))
    data = dict(inputs=[image(0)], data_samples=[data_sample(('cat', 'dog'), [[8, 8, 56, 56]],
                                                             [0])])
    totals = [model.train_step(data, wrapper)['loss'].item() for _ in range(6)]
    assert totals[-1] < 0.9 * totals[0]


def test_a_prediction_in_bfloat16(tiny_bert):
    model = build_nano(tiny_bert, **SWIN, test_cfg=dict(score_thr=0.))
    nn.init.normal_(model.bbox_head.text_projection.weight, std=0.05)

    def found(**settings):
        settings = model.test_cfg.replace(**settings)
        data = dict(inputs=[image(0)], data_samples=[data_sample(NAMES)])
        with torch.no_grad():
            return model.eval().test_step(data, settings)[0].pred_instances

    plain, low = found(), found(dtype='bfloat16')
    assert low.scores.dtype == low.bboxes.dtype == torch.float32
    assert not torch.equal(low.scores, plain.scores)
    torch.testing.assert_close(low.scores[:20], plain.scores[:20], rtol=0, atol=1e-2)
    with torch.autocast('cpu', torch.bfloat16):  # of the caller, as MMEngine's test loops have it
        assert torch.equal(found().scores, low.scores)
        assert torch.equal(found(dtype='float32').scores, plain.scores)
    with pytest.raises(ValueError, match="dtype='float16' needs a GPU; on a CPU choose 'bfloat16'"):
        found(dtype='float16')


def test_contrastive_losses_under_autocast(tiny_bert):
    model = build_nano(tiny_bert, contrastive_loss={}, inter_image_loss={}).train()
    with torch.autocast('cpu', torch.bfloat16):
        losses = losses_of(model, [image(0)], [data_sample(('cat', 'dog'), [[8, 8, 56, 56]], [1])])
    assert losses['loss_inter_image'] > 0 and losses['loss_contrastive_align'] > 0


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.filterwarnings('ignore:.*(deprecated|torchao):')
def test_a_quantised_model_predicts_about_the_same(tiny_bert, kind):
    quantize_dynamic = pytest.importorskip('torch.ao.quantization').quantize_dynamic
    from torch.ao.nn.quantized.dynamic import Linear as QuantisedLinear
    model = build_nano(tiny_bert, **KINDS[kind], test_cfg=dict(score_thr=0.))
    wanted = probabilities(model)
    quantised = quantize_dynamic(model, {nn.Linear})
    for part in (quantised.backbone, quantised.language_model, quantised.fusion_neck):
        kinds = Counter(type(module) for module in part.modules())
        assert not kinds[nn.Linear]
        assert kinds[QuantisedLinear] or part is quantised.backbone and kind != 'fused'
    # the fusion multiplies weights of its layers with each other
    assert {type(m) for m in (quantised.fusion_neck.layers[0].attention or nn.Module()).children()
            if isinstance(m, nn.Linear)} <= {Float32Linear}
    found = probabilities(quantised)
    assert not torch.equal(found, wanted)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-2)
    assert torch.equal(probabilities(model), wanted)  # the original is as it was
    assert len(predict(quantised, [image(0)], [data_sample(NAMES)])[0].pred_instances) > 0
