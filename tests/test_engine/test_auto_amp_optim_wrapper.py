"""Mixed precision in the type that a device is good at."""

import pytest
import torch
from mmengine.optim import AmpOptimWrapper
from mmengine.registry import DefaultScope

from glip_mm.engine.optim import AutoAmpOptimWrapper, auto_amp_optim_wrapper
from glip_mm.engine.optim.auto_amp_optim_wrapper import has_bfloat16
from glip_mm.registry import OPTIM_WRAPPERS
from tests.test_models.nano import build_nano, data_sample, image, write_tiny_bert


def wrap(model=None, **settings):
    model = model or torch.nn.Linear(2, 2)
    return AutoAmpOptimWrapper(optimizer=torch.optim.AdamW(model.parameters(), lr=1e-3),
                               **settings)


@pytest.mark.parametrize('instructions, dtype', [(True, torch.bfloat16), (False, torch.float32)])
def test_a_cpu_trains_in_bfloat16_if_it_has_it(tmp_path, monkeypatch, instructions, dtype):
    monkeypatch.setattr(torch.cpu, '_is_avx512_bf16_supported', lambda: instructions)
    monkeypatch.setattr(torch.cpu, '_is_amx_tile_supported', lambda: False)
    model = build_nano(write_tiny_bert(tmp_path / 'bert'))
    types = []
    model.backbone.layer1.register_forward_hook(lambda m, i, out: types.append(out.dtype))
    data = dict(inputs=[image(0)], data_samples=[data_sample(('cat', 'dog'), [[9, 9, 50, 50]],
                                                             [1])])
    wrapper = wrap(model, clip_grad=dict(max_norm=1.0))
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    losses = [model.train_step(data, wrapper)['loss'].item() for _ in range(2)]
    assert types[0] == dtype
    assert all(p.dtype == torch.float32 and p.isfinite().all() for p in model.parameters())
    assert any((p != before[n]).any() for n, p in model.named_parameters())
    assert losses[1] < losses[0]


@pytest.mark.parametrize('settings', [{}, dict(dtype='auto')])
def test_the_flag_of_mmdetections_train_tool(settings):
    """It names MMEngine's wrapper, which knows no 'auto' and refuses to work on a CPU."""
    cfg = dict(type='AutoAmpOptimWrapper', optimizer=torch.optim.SGD(
        torch.nn.Linear(2, 2).parameters(), lr=0.1), **settings)
    cfg.update(type='AmpOptimWrapper', loss_scale='dynamic')
    with DefaultScope.overwrite_default_scope('glip_mm'):
        assert type(OPTIM_WRAPPERS.build(cfg)) is AutoAmpOptimWrapper


@pytest.mark.parametrize('capability, wanted', [((7, 0), False), ((7, 5), False), ((8, 0), True),
                                                ((9, 0), True)])
def test_old_devices_emulate_bfloat16(monkeypatch, capability, wanted):
    monkeypatch.setattr(torch.cuda, 'get_device_capability', lambda: capability)
    assert has_bfloat16('cuda') is wanted
    monkeypatch.setattr(auto_amp_optim_wrapper, 'get_device', lambda: 'cuda')
    wrapper = wrap()
    assert wrapper.cast_dtype == (torch.bfloat16 if wanted else torch.float16)


def test_bfloat16_scales_nothing_and_resumes_either(monkeypatch):
    wrapper = wrap()
    assert wrapper.scale_loss(torch.tensor(2.0)) == 2.0
    assert wrapper.loss_scaler.scale(torch.tensor(2.0)) == 2.0
    assert isinstance(wrapper, AmpOptimWrapper)
    state = wrapper.state_dict()
    wrap().load_state_dict(dict(state))
    scaled = dict(state, loss_scaler=dict(scale=1024.0, growth_factor=2.0, backoff_factor=0.5,
                                          growth_interval=2000, _growth_tracker=0))
    wrap().load_state_dict(scaled)  # of a run in float16


@pytest.mark.parametrize('settings, message', [
    (dict(dtype='float32'), "'float32'; it may be auto, bfloat16, float16"),
    (dict(dtype='float16'), 'accelerators only'),
])
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        wrap(**settings)
