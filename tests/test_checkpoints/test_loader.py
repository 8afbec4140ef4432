import logging

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.runner import load_checkpoint

from glip_mm.checkpoints import convert_state_dict, load_glip_checkpoint, write_checkpoint
from tests.test_models.nano import build_nano, write_tiny_bert

SWIN = dict(type='SwinTransformer', embed_dims=8, depths=[1, 1, 1, 1], num_heads=[1, 2, 2, 4],
            window_size=2, out_indices=(1, 2, 3), convert_weights=False)
NANO = dict(backbone=SWIN, in_channels=(16, 32, 64))


@pytest.fixture(scope='module')
def bert(tmp_path_factory) -> str:
    return write_tiny_bert(tmp_path_factory.mktemp('bert') / 'tiny')


@pytest.fixture(scope='module', params=[True, False], ids=['fused', 'unfused'])
def pair(request, bert):
    """A model with random weights, and another one of the same architecture."""
    return [build_nano(bert, fuse=request.param, seed=seed, **NANO) for seed in (1, 2)]


def differences(a, b):
    a, b = a.state_dict(), b.state_dict()
    return [k for k in a if not torch.equal(a[k], b[k])]


def packed(model, naming):
    state, _ = convert_state_dict(model.state_dict(), naming)
    if naming == 'official':
        return {'model': {f'module.{k}': v for k, v in state.items()}, 'iteration': 3}
    return state if naming == 'mmdet' else {'state_dict': state, 'meta': {}}


@pytest.mark.parametrize('naming', ['official', 'mmdet', 'ours'])
def test_every_naming_loads_from_a_file(pair, naming, tmp_path):
    source, target = pair
    torch.nn.init.normal_(target.bbox_head.bias_lang)
    assert differences(source, target)
    write_checkpoint(packed(source, naming), tmp_path / 'x.pth')
    report = load_glip_checkpoint(target, tmp_path / 'x.pth')
    assert not differences(source, target)
    assert report.naming == naming


@pytest.mark.parametrize('naming', ['official', 'mmdet', 'ours'])
def test_mmengine_loads_every_naming(pair, naming, tmp_path):
    """What ``load_from=`` and ``Runner.load_checkpoint`` call."""
    source, target = pair
    torch.nn.init.normal_(target.bbox_head.bias_lang)
    write_checkpoint(packed(source, naming), tmp_path / 'x.pth')
    load_checkpoint(target, str(tmp_path / 'x.pth'))
    assert not differences(source, target)


def test_strict_torch_loading_works(pair):
    source, target = pair
    target.load_state_dict(packed(source, 'official'))
    assert not differences(source, target)


def test_a_key_without_a_home_is_refused(pair):
    checkpoint = packed(pair[0], 'ours')
    checkpoint['state_dict']['bbox_head.extra.weight'] = torch.ones(1)
    with pytest.raises(KeyError, match='no place in the model: bbox_head.extra.weight'):
        load_glip_checkpoint(pair[1], checkpoint)
    with pytest.raises(KeyError, match='bbox_head.extra.weight'):
        pair[1].load_state_dict(checkpoint)


def test_a_missing_key_is_refused(pair):
    checkpoint = packed(pair[0], 'official')
    del checkpoint['model']['module.rpn.head.bias0']
    with pytest.raises(KeyError, match='missing: bbox_head.bias0'):
        load_glip_checkpoint(pair[1], checkpoint)


def test_another_size_is_refused_with_both_shapes(pair):
    checkpoint = packed(pair[0], 'official')
    checkpoint['model']['module.rpn.head.centerness.weight'] = torch.ones(1, 64, 1, 1)
    with pytest.raises(ValueError, match=r'another size: bbox_head.centerness.weight is '
                                         r'\(1, 64, 1, 1\) in the file, \(1, 32, 1, 1\)'):
        load_glip_checkpoint(pair[1], checkpoint)


def test_fused_checkpoint_does_not_fit_an_unfused_model(bert):
    fused, plain = (build_nano(bert, fuse=f, **NANO) for f in (True, False))
    with pytest.raises(KeyError, match='fusion_neck.layers.0.attention'):
        load_glip_checkpoint(plain, packed(fused, 'official'))
    with pytest.raises(KeyError, match='missing.*fusion_neck.layers.0.attention'):
        load_glip_checkpoint(fused, packed(plain, 'official'))


def test_constants_may_be_missing(pair):
    checkpoint = packed(pair[0], 'mmdet')
    index = [k for k in checkpoint if k.endswith('relative_position_index')]
    for key in index:
        del checkpoint[key]
    assert index
    load_glip_checkpoint(pair[1], checkpoint)
    assert not differences(*pair)


def test_optional_parts_come_and_go(bert, caplog):
    extras = dict(mlm_head=dict(), prompt_table=dict(), contrastive_loss=dict())
    full, bare = build_nano(bert, **NANO, **extras), build_nano(bert, seed=1, **NANO)
    report = load_glip_checkpoint(full, packed(bare, 'official'))
    assert 'mlm_head.decoder.weight' in report.absent
    assert 'prompt_table.weight' in report.absent
    assert 'left as initialised' in str(report)

    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.INFO):
            report = load_glip_checkpoint(bare, packed(full, 'ours'))
    finally:
        logger.removeHandler(caplog.handler)
    assert 'no masked-language head' in report.dropped['mlm_head.decoder.weight']
    assert 'no prompt table' in caplog.text


def test_partial_resume_of_own_weights_keeps_optional_parts(bert):
    models = [build_nano(bert, seed=s, mlm_head=dict(), **NANO) for s in (0, 1)]
    models[1].load_state_dict(models[0].state_dict())
    assert not differences(*models)


def test_direct_lenient_loading_does_what_pytorch_does(pair):
    source, target = pair
    state = packed(source, 'official')['model']
    del state['module.rpn.head.bias0']
    state['module.rpn.head.extra'] = torch.ones(1)
    before = target.bbox_head.bias0.clone().fill_(7)
    target.bbox_head.bias0.data.copy_(before)
    found = target.load_state_dict({'model': state}, strict=False)
    assert found.missing_keys == ['bbox_head.bias0']
    assert found.unexpected_keys == ['rpn.head.extra']
    assert torch.equal(target.bbox_head.bias0, before)
    assert differences(source, target) == ['bbox_head.bias0']
    assert target.load_state_dict({}, strict=False).missing_keys == list(target.state_dict())
    state = {'bbox_head.bias0': torch.ones(2)}
    with pytest.raises(RuntimeError, match='size mismatch for bbox_head.bias0'):
        target.load_state_dict(state, strict=False)


def test_mmengine_is_strict_unless_the_model_says_otherwise(pair, tmp_path):
    """It always passes ``strict=False``."""
    checkpoint = packed(pair[0], 'mmdet')
    del checkpoint['bbox_head.head.bias0']
    write_checkpoint(checkpoint, tmp_path / 'x.pth')
    with pytest.raises(KeyError, match=r"missing: bbox_head.bias0; .*model.strict_load="):
        load_checkpoint(pair[1], str(tmp_path / 'x.pth'), strict=False)


@pytest.mark.parametrize('strict_load', [False, ['backbone.', 'neck.']])
def test_another_backbone_keeps_all_that_fits(bert, strict_load, tmp_path, caplog):
    source = build_nano(bert, seed=1, **NANO)
    other = build_nano(bert, seed=2, strict_load=strict_load)  # a ResNet
    before = {k: v.clone() for k, v in other.state_dict().items()}
    write_checkpoint(packed(source, 'official'), tmp_path / 'x.pth')
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        with caplog.at_level(logging.INFO):
            load_checkpoint(other, str(tmp_path / 'x.pth'))
    finally:
        logger.removeHandler(caplog.handler)
    for key, value in other.state_dict().items():
        own = key.startswith(('backbone.', 'neck.lateral_convs.'))  # channels of the other one
        assert torch.equal(value, before[key] if own else source.state_dict()[key]), key
    assert 'model.strict_load allows: backbone.conv1.weight' in caplog.text
    assert 'neck.lateral_convs.0.conv.weight ((32, 16, 1, 1) in the file)' in caplog.text
    assert 'dropped backbone.' in caplog.text

    head_only = build_nano(bert, seed=2, strict_load=['backbone.'])
    with pytest.raises(ValueError, match='another size: neck.lateral_convs'):
        load_glip_checkpoint(head_only, tmp_path / 'x.pth')


def test_a_checkpoint_of_which_nothing_fits_is_refused(bert):
    model = build_nano(bert, strict_load=False)
    with pytest.raises(KeyError, match='no weight of the checkpoint .* fits the model'):
        load_glip_checkpoint(model, {'encoder.weight': torch.ones(3)})
