"""A training that was interrupted anywhere ends with the very weights of one that was not."""

import copy

import pytest
import torch
from mmengine.registry import DefaultScope

from glip_mm.registry import MODELS

from .nano import data_sample, image, losses_of, nano_config

# of different lengths, and each met for the first time beside one of another length
PAIRS = [('cat', 'two dogs of the man next door'), ('two dogs of the man next door', 'a red car'),
         ('a red car', 'cat'), ('a bus', 'two dogs of the man next door')]


def train(model, optimizer, steps):
    for step in steps:
        torch.manual_seed(step)
        samples = [data_sample([name], [[10, 10, 50, 50]], [0]) for name in PAIRS[step]]
        optimizer.zero_grad()
        sum(losses_of(model, [image(step), image(step + 10)], samples).values()).backward()
        optimizer.step()


@pytest.mark.parametrize('frozen, stops', [(True, (1, 3)), (False, (2,))])
def test_bitwise(tiny_bert, frozen, stops):
    config = nano_config(tiny_bert)
    config['language_model']['frozen'] = frozen

    def build():
        torch.manual_seed(0)
        with DefaultScope.overwrite_default_scope('glip_mm'):
            model = MODELS.build(config).train()
        learned = [p for p in model.parameters() if p.requires_grad]
        return model, torch.optim.SGD(learned, lr=1e-3, momentum=0.9)

    model, optimizer = build()
    saved = []
    for step in range(len(PAIRS)):
        saved.append(copy.deepcopy((model.state_dict(), optimizer.state_dict())))
        train(model, optimizer, [step])
    wanted = model.state_dict()
    for stop in stops:
        resumed, optimizer = build()
        resumed.load_state_dict(saved[stop][0])
        optimizer.load_state_dict(saved[stop][1])
        train(resumed, optimizer, range(stop, len(PAIRS)))
        other = [k for k, v in resumed.state_dict().items() if not torch.equal(v, wanted[k])]
        assert other == [], f'{len(other)} of {len(wanted)} differ after {stop}'
