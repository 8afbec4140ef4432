import pytest
import torch

from glip_mm.checkpoints import convert_state_dict, detect_naming, normalise_state_dict

from .official import COUNTS, official_state

MODELS = list(COUNTS)


def same(a, b):
    return set(a) == set(b) and all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize('name', MODELS)
def test_counts_of_released_files(name):
    state = official_state(name)
    official, converted = COUNTS[name]
    assert len(state) == official
    ours, report = normalise_state_dict(state)
    assert len(ours) == report.num_kept == converted
    assert len(report.dropped) == 7
    assert len(convert_state_dict(state, 'mmdet')[0]) == converted


@pytest.mark.parametrize('name', MODELS)
@pytest.mark.parametrize('target', ['official', 'mmdet'])
def test_round_trip_from_ours(name, target):
    ours, _ = normalise_state_dict(official_state(name))
    there, _ = convert_state_dict(ours, target)
    assert detect_naming(there) == target
    assert same(convert_state_dict(there, 'ours')[0], ours)


@pytest.mark.parametrize('name', MODELS)
def test_round_trip_from_official(name):
    state = official_state(name, with_mlm=name != 'glip_l')
    back, report = convert_state_dict(normalise_state_dict(state)[0], 'official')
    assert set(back) == set(state)
    rewritten = set(report.added)
    kept = {k: v for k, v in state.items() if k not in rewritten}
    assert same({k: back[k] for k in kept}, kept)
    assert all('cls_logits' in k or 'cell_anchors' in k or k.endswith('mlm_head.bias')
               for k in rewritten)


def test_written_constants_are_the_official_ones():
    written, _ = convert_state_dict(normalise_state_dict(official_state('glip_a'))[0], 'official')
    anchors = [written[f'rpn.anchor_generator.cell_anchors.{i}'] for i in (0, 1, 4)]
    assert anchors[0].tolist() == [[-28, -28, 35, 35]]
    assert anchors[1].tolist() == [[-56, -56, 71, 71]]
    assert anchors[2].tolist() == [[-448, -448, 575, 575]]


def test_downsampling_is_reordered_between_official_and_ours_only():
    state = official_state('glip_a')
    ours, _ = normalise_state_dict(state)
    key = 'backbone.stages.0.downsample.reduction.weight'
    official = state['backbone.body.layers.0.downsample.reduction.weight']
    assert not torch.equal(ours[key], official)
    assert torch.equal(ours[key][:, 1], official[:, 2 * 96])  # tap (0, 1) of channel 0
    assert torch.equal(convert_state_dict(ours, 'mmdet')[0][key], ours[key])


def test_scales_become_scalars_and_back():
    state = official_state('glip_a')
    ours, _ = normalise_state_dict(state)
    assert ours['bbox_head.scales.3.scale'].shape == ()
    assert convert_state_dict(ours, 'official')[0]['rpn.head.scales.3.scale'].shape == (1,)
    assert convert_state_dict(ours, 'mmdet')[0]['bbox_head.head.scales.3.scale'].shape == ()


def test_module_prefix_and_containers_change_nothing():
    state = official_state('glip_a')
    bare, _ = normalise_state_dict(state)
    prefixed = {f'module.{k}': v for k, v in state.items()}
    for checkpoint in (prefixed, {'model': prefixed, 'optimizer': {}, 'iteration': 7},
                       {'model': state}, {'state_dict': state, 'meta': {}}):
        got, report = normalise_state_dict(checkpoint)
        assert same(got, bare)
        assert report.naming == 'official'
    assert report.container == 'state_dict'
    assert not report.ddp_prefix


def test_dropped_entries_carry_reasons():
    state = official_state('glip_t')
    state['language_backbone.body.model.embeddings.position_ids'] = torch.arange(512)[None]
    state['language_backbone.body.model.pooler.dense.weight'] = torch.ones(2, 2)
    state['rpn.resizer.fc.weight'] = torch.ones(2, 2)
    ours, report = normalise_state_dict(state)
    assert len(ours) == 738
    assert 'dead weights' in report.dropped['rpn.head.cls_logits.weight']
    assert 'constants' in report.dropped['rpn.anchor_generator.cell_anchors.0']
    assert 'pooler' in report.dropped['language_backbone.body.model.pooler.dense.weight']
    assert 'rpn.resizer.fc.weight' in report.dropped
    assert '10 dropped' in str(report)


def test_mlm_head_is_kept_and_its_copied_bias_may_stand_alone():
    state = official_state('glip_t', with_mlm=True)
    bias = state.pop('rpn.head.mlm_head.decoder.bias')
    ours, _ = normalise_state_dict(state)
    assert torch.equal(ours['mlm_head.decoder.bias'], bias)
    mmdet, report = convert_state_dict(ours, 'mmdet')
    assert len(mmdet) == 738
    assert 'no masked-language head' in report.dropped['mlm_head.decoder.bias']


def test_prompt_table_travels():
    state = official_state('glip_t')
    state['rpn.tunable_linear.weight'] = torch.randn(1000, 768)
    ours, _ = normalise_state_dict(state)
    assert torch.equal(ours['prompt_table.weight'], state['rpn.tunable_linear.weight'])
    assert 'rpn.tunable_linear.weight' in convert_state_dict(ours, 'official')[0]


def test_unknown_keys_are_refused_by_name():
    state = official_state('glip_a')
    state['rpn.head.brand_new.weight'] = torch.ones(1)
    with pytest.raises(KeyError, match='rpn.head.brand_new.weight'):
        normalise_state_dict(state)
    # fused modules have no place in a tower without fusion
    state = official_state('glip_a')
    state['rpn.head.dyhead_tower.0.attention.self.query.weight'] = torch.ones(1)
    with pytest.raises(KeyError, match='self.query'):
        normalise_state_dict(state)


def test_foreign_backbone_cannot_be_written_officially():
    ours, _ = normalise_state_dict(official_state('glip_a'))
    ours['backbone.layer1.0.conv1.weight'] = torch.ones(1)
    with pytest.raises(KeyError, match='layer1.0.conv1'):
        convert_state_dict(ours, 'official')
    assert 'backbone.layer1.0.conv1.weight' in convert_state_dict(ours, 'mmdet')[0]


def test_averaged_weights_only_on_request():
    raw, averaged = official_state('glip_a'), official_state('glip_a')
    averaged['rpn.head.log_scale'] = torch.tensor([3.0])
    checkpoint = {'model': raw, 'model_ema': {f'module.{k}': v for k, v in averaged.items()}}
    assert normalise_state_dict(checkpoint)[0]['bbox_head.log_scale'] != 3
    got, report = normalise_state_dict(checkpoint, use_ema=True)
    assert got['bbox_head.log_scale'] == 3
    assert report.container == 'model_ema'
    with pytest.raises(KeyError, match='model_ema'):
        normalise_state_dict({'model': raw}, use_ema=True)


def test_mmengine_keeps_averaged_weights_in_state_dict():
    """EMAHook swaps when it saves, so that what is loaded is the average."""
    ours, _ = normalise_state_dict(official_state('glip_a'))
    raw = {f'module.{k}': v + 1 for k, v in ours.items()}
    checkpoint = {'state_dict': ours, 'ema_state_dict': {'steps': torch.tensor(5), **raw}}
    assert same(normalise_state_dict(checkpoint, use_ema=True)[0], ours)


@pytest.mark.parametrize('bad', [{}, {'meta': {}, 'optimizer': {}}, {'model': 'weights.pth'}])
def test_no_weights_is_an_error(bad):
    with pytest.raises(TypeError, match='state.dict'):
        normalise_state_dict(bad)


def test_unknown_target_is_an_error():
    with pytest.raises(ValueError, match="'caffe'.*official, mmdet, ours"):
        convert_state_dict({}, 'caffe')


def test_names_are_those_of_mmdets_modules():
    """Swin and FPN are MMDetection's, so the mapped names and shapes must be theirs."""
    from mmdet.models.backbones import SwinTransformer
    from mmdet.models.necks import FPN

    from .official import official_shapes
    swin = SwinTransformer(out_indices=(1, 2, 3))
    fpn = FPN([192, 384, 768], 256, 5, add_extra_convs='on_output',
              relu_before_extra_convs=True)
    wanted = {f'backbone.{k}': v.shape for k, v in swin.state_dict().items()}
    wanted.update({f'neck.{k}': v.shape for k, v in fpn.state_dict().items()})
    shapes = {k: s for k, s in official_shapes('glip_a').items() if k.startswith('backbone.')}
    state = {k: torch.zeros(s) for k, s in shapes.items()}
    got = {k: v.shape for k, v in normalise_state_dict(state)[0].items()}
    assert got == wanted
