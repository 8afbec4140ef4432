"""The released models' configs have exactly the parameters of the released files."""

import functools
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

import glip_mm.models  # noqa: F401
from glip_mm.checkpoints import convert_state_dict
from glip_mm.registry import MODELS
from tests.test_checkpoints.official import official_shapes

CONFIGS = Path(__file__).parents[2] / 'configs' / 'glip'
CLS_LOGITS = 20560  # dead weights that the official count includes


@pytest.fixture
def build_on_meta(monkeypatch):
    """Builds a model without memory for its weights."""
    for name in ('linspace', 'arange'):  # their values are read while modules are built
        monkeypatch.setattr(torch, name, functools.partial(getattr(torch, name), device='cpu'))

    def build(name: str) -> torch.nn.Module:
        model = Config.fromfile(CONFIGS / f'{name}.py').model
        model.language_model.pretrained = False
        with DefaultScope.overwrite_default_scope('glip_mm'), torch.device('meta'):
            return MODELS.build(model)

    return build


@pytest.mark.parametrize('config, release, parameters, entries', [
    ('glip_swin-t-a_o365', 'glip_a', 151_430_526, 534),
    ('glip_swin-t_o365', 'glip_t', 231_780_222, 738),
    ('glip_swin-t_o365-goldg', 'glip_t', 231_780_222, 738),
    ('glip_swin-t_o365-goldg-cc3m-sbu', 'glip_t', 231_780_222, 738),
    ('glip_swin-l_mixed', 'glip_l', 430_422_384, 1014)])
def test_parameters(build_on_meta, config, release, parameters, entries):
    model = build_on_meta(config)
    assert sum(p.numel() for p in model.parameters()) == parameters - CLS_LOGITS
    state = model.state_dict()
    assert len(state) == entries
    official = {k: list(v.shape) for k, v in convert_state_dict(state, 'official')[0].items()}
    wanted = official_shapes(release)
    assert set(official) == set(wanted)
    if release != 'glip_l':  # whose stand-in has GLIP-T's shapes
        assert official == wanted
