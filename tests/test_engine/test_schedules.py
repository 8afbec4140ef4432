"""Learning rate and weight decay of every iteration, against the published formulas."""

import math
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import PARAM_SCHEDULERS, DefaultScope

import glip_mm.engine  # noqa: F401

SCHEDULES = Path(__file__).parents[2] / 'configs/_base_/schedules'
LR, DECAY = 1e-4, 0.01


def curves(name, iterations, stop=None):
    """Learning rate and weight decay of each iteration of a schedule's config."""
    config = Config.fromfile(SCHEDULES / f'{name}.py')
    weight, bias = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    optimizer = torch.optim.SGD([dict(params=[weight], weight_decay=DECAY),
                                 dict(params=[bias], lr=2 * LR, weight_decay=0.)], lr=LR)
    with DefaultScope.overwrite_default_scope('glip_mm'):
        schedulers = [PARAM_SCHEDULERS.build(dict(s, optimizer=optimizer, end=s.get(
            'end', iterations))) for s in config.param_scheduler]
    rates, decays = [], []
    for _ in range(stop or iterations):
        rates.append([g['lr'] for g in optimizer.param_groups])
        decays.append([g['weight_decay'] for g in optimizer.param_groups])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return torch.tensor(rates, dtype=torch.float64), torch.tensor(decays, dtype=torch.float64)


def published(iteration, total, steps=(0.67, 0.89), warmup=2000, factor=0.001):
    share = iteration / warmup
    warm = factor * (1 - share) + share if iteration < warmup else 1.0
    return LR * warm * 0.1**sum(iteration >= round(s * total) for s in steps)


def test_steps_as_published():
    rates, _ = curves('glip_30e', 10000)
    for iteration, wanted in {0: 1e-7, 1000: 5.005e-5, 1999: 9.995005e-5, 2000: 1e-4, 6699: 1e-4,
                              6700: 1e-5, 8899: 1e-5, 8900: 1e-6, 9999: 1e-6}.items():
        assert float(rates[iteration, 0]) == pytest.approx(wanted, rel=1e-9), iteration
    wanted = torch.tensor([published(i, 10000) for i in range(10000)], dtype=torch.float64)
    torch.testing.assert_close(rates[:, 0], wanted, rtol=1e-9, atol=0)
    torch.testing.assert_close(rates[:, 1], 2 * wanted, rtol=1e-9, atol=0)


def test_cosine_ends_at_a_hundredth():
    rates, _ = curves('glip_30e_cosine', 6000)
    low = LR / 100
    for iteration in (2000, 2001, 3000, 4000, 5999):
        phase = math.pi * (iteration - 2000) / 4000
        wanted = low + (LR - low) * (1 + math.cos(phase)) / 2
        assert float(rates[iteration, 0]) == pytest.approx(wanted, rel=1e-6), iteration
    assert float(rates[1000, 0]) == pytest.approx(5.005e-5)
    assert float(rates[-1, 0]) == pytest.approx(low, rel=1e-3)


def test_weight_decay_of_glip_l_steps_down_before_the_learning_rate():
    total = 6000
    rates, decays = curves('glip_1m', total)
    for iteration in range(0, total, 7):
        # decays once an iteration reaches 0.667 of a milestone
        passed = sum(iteration >= 0.667 * round(step * total) - 0.5 for step in (0.67, 0.89))
        assert float(decays[iteration, 0]) == pytest.approx(DECAY * 0.1**passed), iteration
    assert decays[:, 1].abs().max() == 0
    assert float(rates[4019, 0]) == pytest.approx(LR)
    assert float(rates[4020, 0]) == pytest.approx(LR / 10)


def test_glip_l_is_a_million_iterations_long():
    config = Config.fromfile(SCHEDULES / 'glip_1m.py')
    assert config.train_cfg.max_iters == 1_000_000
    assert config.optim_wrapper.optimizer.weight_decay == 0.01
    fractions = config.param_scheduler[-1].fractions
    assert [round(f * 1_000_000) for f in fractions] == [446_890, 593_630]


def build(**changes):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LR)
    settings = dict(dict(type='FractionStepLR', fractions=(0.5, 0.75), by_epoch=False, end=8,
                         optimizer=optimizer), **changes)
    with DefaultScope.overwrite_default_scope('glip_mm'):
        return optimizer, PARAM_SCHEDULERS.build(settings)


def test_resuming_continues_the_curve():
    optimizer, scheduler = build()
    whole, state = [], None
    for i in range(8):
        if i == 3:
            state = scheduler.state_dict(), optimizer.state_dict()
        whole.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        scheduler.step()
    optimizer, scheduler = build()
    scheduler.load_state_dict(state[0])
    optimizer.load_state_dict(state[1])
    optimizer.param_groups[0]['lr'] = whole[3]
    for wanted in whole[3:]:
        assert optimizer.param_groups[0]['lr'] == pytest.approx(wanted)
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize('changes, message', [
    (dict(fractions=(0.9, 0.5)), 'must increase'),
    (dict(fractions=(0.5, 20)), 'between 0 and 1'),
    (dict(by_epoch=True), 'by_epoch=False'),
    (dict(end=int(1e9)), 'number of iterations'),
])
def test_wrong_settings_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        build(**changes)
