"""Weights between two models."""

import pytest
import torch

from glip_mm.checkpoints.interpolation import interpolate_weights, parse_alphas

BASE = dict(w=torch.tensor([0., 1.]), n=torch.tensor(3))
TUNED = dict(w=torch.tensor([1., 0.]), n=torch.tensor(7))


@pytest.mark.parametrize('alpha, wanted', [(0, [0, 1]), (1, [1, 0]), (.25, [.25, .75]),
                                           (1.5, [1.5, -.5])])
def test_between_and_beyond(alpha, wanted):
    mixed = interpolate_weights(BASE, TUNED, alpha)
    assert mixed['w'].tolist() == wanted and mixed['n'] == 7
    mixed['w'] += 1
    assert BASE['w'].tolist() == [0, 1] and TUNED['w'].tolist() == [1, 0]


def test_half_precision_keeps_small_steps():
    base, tuned = torch.tensor([1.]), torch.tensor([1.0009765625])
    mixed = interpolate_weights(dict(w=base.half()), dict(w=tuned.half()), .9)
    assert mixed['w'].dtype == torch.float16 and mixed['w'] == tuned.half()


def test_other_models_are_refused():
    with pytest.raises(ValueError, match='1 only in the base: n; 1 only in the tuned model: '
                                         r'lora_a; 1 of different shapes: w \(2,\) against \(3,\)'):
        interpolate_weights(BASE, dict(w=torch.zeros(3), lora_a=torch.zeros(1)), .5)


def test_alphas():
    assert parse_alphas('0:1:0.1') == [0, .1, .2, .3, .4, .5, .6, .7, .8, .9, 1]
    assert parse_alphas('0.5') == [.5] and parse_alphas('0,1') == [0, 1]
    for wrong in ('a', '0:1', '1:0:0.1', '0:1:0', '0:1,2', 'nan', '0:inf:1'):
        with pytest.raises(ValueError, match=f"alphas '{wrong}' must be FIRST:LAST:STEP"):
            parse_alphas(wrong)
