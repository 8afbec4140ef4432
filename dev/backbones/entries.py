"""The tables: what a config says for each backbone and neck, or why none can be said."""

from typing import Any, NamedTuple


class Entry(NamedTuple):
    """A backbone or neck in a config.

    Attributes:
        lines: changes of the ``model`` of a released config.
        note: what a user should know.
        refused: the reason why it cannot work; its lines must fail then.
        idle: how the names of parameters begin that take no part.
        compiled: it needs MMCV with compiled operators, and is refused only without.
        imports: module of another package that registers it.
    """

    lines: dict[str, Any]
    note: str = ''
    refused: str = ''
    idle: str = ''
    compiled: bool = False
    imports: str = ''


#: How the result of an entry begins whose package is not installed.
NOT_THERE = 'not tried'


def _strides(*strides: int) -> dict:
    return dict(anchor_generator=dict(strides=list(strides)))


def _backbone(kind: str, in_channels: list[int], **arguments: Any) -> Entry:
    return Entry(dict(backbone=dict(_delete_=True, type=kind, **arguments),
                      neck=dict(in_channels=in_channels)))


def _neck(kind: str, **arguments: Any) -> dict:
    return dict(_delete_=True, type=kind, in_channels=[128, 256, 512], out_channels=256,
                **arguments)


LAST_THREE = dict(out_indices=(1, 2, 3))
BOTTLENECKS = [512, 1024, 2048]
HRNET = dict(
    stage1=dict(num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(4,),
                num_channels=(64,)),
    stage2=dict(num_modules=1, num_branches=2, block='BASIC', num_blocks=(4, 4),
                num_channels=(18, 36)),
    stage3=dict(num_modules=4, num_branches=3, block='BASIC', num_blocks=(4, 4, 4),
                num_channels=(18, 36, 72)),
    stage4=dict(num_modules=3, num_branches=4, block='BASIC', num_blocks=(4, 4, 4, 4),
                num_channels=(18, 36, 72, 144)))

#: Registered name -> entry, in the smallest published width of each.
BACKBONES: dict[str, Entry] = dict(
    CSPDarknet=_backbone('CSPDarknet', [128, 256, 512], deepen_factor=0.33, widen_factor=0.5),
    CSPNeXt=_backbone('CSPNeXt', [128, 256, 512], deepen_factor=0.33, widen_factor=0.5),
    Darknet=_backbone('Darknet', [256, 512, 1024], depth=53),
    DetectoRS_ResNet=_backbone('DetectoRS_ResNet', BOTTLENECKS, depth=50, **LAST_THREE),
    DetectoRS_ResNeXt=_backbone('DetectoRS_ResNeXt', BOTTLENECKS, depth=50, groups=32,
                                base_width=4, **LAST_THREE),
    EfficientNet=_backbone('EfficientNet', [40, 112, 320], arch='b0', out_indices=(3, 4, 5)),
    EfficientNetLite=_backbone('EfficientNetLite', [40, 112, 320], **LAST_THREE)._replace(
        note='of this package'),
    HourglassNet=Entry(
        dict(backbone=dict(_delete_=True, type='HourglassNet', num_stacks=1, downsample_times=3,
                           stage_channels=(256, 256, 384, 384), stage_blocks=(1, 1, 1, 1)),
             neck=dict(in_channels=[256]), bbox_head=_strides(4, 8, 16, 32, 64)),
        'one map of stride 4: several stacks have several of one stride, which do not fit; sides '
        'of images are multiples of 2 to the power of `downsample_times + 2` '
        '(`data_preprocessor.pad_size_divisor`); several processes need '
        '`find_unused_parameters=True`', idle='inters.'),
    HRNet=Entry(
        dict(backbone=dict(_delete_=True, type='HRNet', extra=HRNET),
             neck=dict(in_channels=[18, 36, 72, 144]), bbox_head=_strides(4, 8, 16, 32, 64)),
        'HRNetV2-W18; with `neck.start_level=1` and strides of 8 to 128 some of its parameters '
        'take no part, and several processes need `find_unused_parameters=True`'),
    MobileNetV2=_backbone('MobileNetV2', [32, 96, 1280], out_indices=(2, 4, 7)),
    PyramidVisionTransformer=_backbone('PyramidVisionTransformer', [128, 320, 512],
                                       num_layers=[2, 2, 2, 2], **LAST_THREE),
    PyramidVisionTransformerV2=_backbone('PyramidVisionTransformerV2', [64, 160, 256],
                                         embed_dims=32, num_layers=[2, 2, 2, 2], **LAST_THREE),
    RegNet=_backbone('RegNet', [64, 160, 384], arch='regnetx_400mf', **LAST_THREE),
    Res2Net=_backbone('Res2Net', BOTTLENECKS, depth=50, **LAST_THREE),
    ResNeSt=_backbone('ResNeSt', BOTTLENECKS, depth=50, stem_channels=64, **LAST_THREE),
    ResNeXt=_backbone('ResNeXt', BOTTLENECKS, depth=50, groups=32, base_width=4, **LAST_THREE),
    ResNet=_backbone('ResNet', [128, 256, 512], depth=18, **LAST_THREE),
    ResNetV1d=_backbone('ResNetV1d', BOTTLENECKS, depth=50, **LAST_THREE),
    SSDVGG=_backbone('SSDVGG', [512, 1024], depth=16),
    SwinTransformer=_backbone('SwinTransformer', [192, 384, 768], **LAST_THREE),
    TridentResNet=Entry(
        dict(backbone=dict(_delete_=True, type='TridentResNet', depth=50, num_branch=3,
                           test_branch_idx=1, trident_dilations=(1, 2, 3), num_stages=3,
                           strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(2,)),
             neck=dict(in_channels=[1024]), bbox_head=_strides(16, 32, 64, 128, 256)),
        refused='in training it makes maps of three images from one, which only the heads of '
                'TridentNet put together again'))

FPN = _neck('FPN', num_outs=5)
THREE_LEVELS = dict(bbox_head=_strides(8, 16, 32))
WHOLE_CELLS = dict(data_preprocessor=dict(pad_size_divisor=128))
RFP_BACKBONE = dict(type='DetectoRS_ResNet', depth=50, rfp_inplanes=256)

#: Registered name -> entry, behind a ResNet-18 where its lines name no backbone.
NECKS: dict[str, Entry] = dict(
    BFP=Entry(dict(neck=[
        {key: value for key, value in FPN.items() if key != '_delete_'},
        dict(type='BFP', in_channels=256, num_levels=5, refine_level=2,
             refine_type='non_local')]), 'behind an FPN'),
    CSPNeXtPAFPN=Entry(dict(neck=_neck('CSPNeXtPAFPN', num_csp_blocks=1), **THREE_LEVELS),
                       'three levels'),
    CTResNetNeck=Entry(
        dict(neck=dict(_delete_=True, type='CTResNetNeck', in_channels=512,
                       num_deconv_filters=(256, 256), num_deconv_kernels=(4, 4)),
             bbox_head=dict(in_channels=256, **_strides(8))), 'one level'),
    ChannelMapper=Entry(dict(neck=_neck('ChannelMapper', num_outs=5))),
    DilatedEncoder=Entry(
        dict(neck=dict(_delete_=True, type='DilatedEncoder', in_channels=512, out_channels=256,
                       block_mid_channels=128, num_residual_blocks=4,
                       block_dilations=[2, 4, 6, 8]), bbox_head=_strides(32)), 'one level'),
    DyHead=Entry(dict(neck=[
        {key: value for key, value in FPN.items() if key != '_delete_'},
        dict(type='DyHead', in_channels=256, out_channels=256, num_blocks=2)]),
        'behind an FPN; the fusion has such blocks itself'),
    FPG=Entry(
        dict(neck=_neck(
            'FPG', inter_channels=256, num_outs=5, add_extra_convs=True, stack_times=3,
            paths=['bu'] * 3, skip_inds=[(0, 1), (0,), (), (), ()],
            same_up_trans=dict(type='conv', kernel_size=3, stride=2, padding=1, inplace=False),
            across_lateral_trans=dict(type='conv', kernel_size=1, inplace=False),
            across_down_trans=dict(type='interpolation_conv', kernel_size=3, inplace=False),
            across_skip_trans=dict(type='conv', kernel_size=1, inplace=False)),
             **WHOLE_CELLS),
        'doubles maps exactly, so that all sides are padded to whole cells'),
    FPN=Entry(dict(neck=FPN)),
    FPNDropBlock=Entry(dict(neck=dict(in_channels=[128, 256, 512])),
                       'of this package; that of the released models'),
    FPN_CARAFE=Entry(dict(neck=_neck('FPN_CARAFE', num_outs=5)),
                     refused='needs MMCV with compiled operators', compiled=True),
    FPN_DropBlock=Entry(dict(neck=_neck('FPN_DropBlock', num_outs=5))),
    HRFPN=Entry(dict(neck=_neck('HRFPN'), **WHOLE_CELLS),
                'halves maps rounding down, so that all sides are padded to whole cells'),
    NASFCOS_FPN=Entry(
        dict(backbone=dict(_delete_=True, type='ResNet', depth=18),
             neck=dict(_delete_=True, type='NASFCOS_FPN', in_channels=[64, 128, 256, 512],
                       out_channels=256, num_outs=5)),
        'reads all four maps of a backbone and begins with the second'),
    NASFPN=Entry(dict(neck=_neck('NASFPN', num_outs=5, stack_times=3),
                      **WHOLE_CELLS),
                 'halves maps rounding down, so that all sides are padded to whole cells'),
    PAFPN=Entry(dict(neck=_neck('PAFPN', num_outs=5))),
    RFP=Entry(
        dict(backbone=dict(_delete_=True, type='DetectoRS_ResNet', depth=50, output_img=True),
             neck=dict(_delete_=True, type='RFP', in_channels=[256, 512, 1024, 2048],
                       out_channels=256, num_outs=5, rfp_steps=2, aspp_out_channels=64,
                       rfp_backbone=RFP_BACKBONE),
             bbox_head=_strides(4, 8, 16, 32, 64)), 'with a backbone of DetectoRS'),
    SSDNeck=Entry(
        dict(neck=[dict(type='ChannelMapper', in_channels=[128, 256, 512], out_channels=256),
                   dict(type='SSDNeck', in_channels=(256,) * 3, out_channels=(256,) * 5,
                        level_strides=(2, 2), level_paddings=(1, 1), l2_norm_scale=None)]),
        'behind a ChannelMapper: all levels must be equally wide'),
    SSH=Entry(dict(neck=dict(_delete_=True, type='SSH', num_scales=3, in_channels=[128, 256, 512],
                             out_channels=[256] * 3), **THREE_LEVELS), 'three levels'),
    YOLOV3Neck=Entry(
        dict(neck=dict(_delete_=True, type='YOLOV3Neck', num_scales=3, in_channels=[512, 256, 128],
                       out_channels=[256] * 3), **THREE_LEVELS),
        refused='its coarsest map comes first, and fusion and head read the finest first'),
    YOLOXPAFPN=Entry(dict(neck=_neck('YOLOXPAFPN', num_csp_blocks=1), **THREE_LEVELS),
                     'three levels'))


def _mmpretrain(kind: str, in_channels: list[int], **arguments: Any) -> Entry:
    return _backbone(f'mmpretrain.{kind}', in_channels, **arguments)._replace(
        imports='mmpretrain.models')


VIT = dict(_delete_=True, type='ViT', embed_dim=192, depth=4, num_heads=3, window_size=14,
           window_block_indexes=(0, 1, 2), use_rel_pos=True, norm_cfg=dict(type='LN'))
SIMPLE_FPN = dict(_delete_=True, type='SimpleFPN', backbone_channel=192,
                  in_channels=[48, 96, 192, 192], out_channels=256, num_outs=5,
                  norm_cfg=dict(type='LN2d'))
LAST_IDLE = ('its last layer takes no part: several processes need '
             '`find_unused_parameters=True`')
FROM_SECOND = dict(out_indices=(1, 2, 3), gap_before_final_norm=False)

#: Name -> entry of classes of other packages, which are tried where those are installed.
OTHERS: dict[str, Entry] = {
    'SimpleFPN': Entry(
        dict(backbone=VIT, neck=SIMPLE_FPN, bbox_head=_strides(4, 8, 16, 32, 64)),
        'a pyramid of the one map of a ViT, both in the repository of MMDetection',
        imports='projects.ViTDet.vitdet'),
    'ConvNeXt': _mmpretrain('ConvNeXt', [80, 160, 320], arch='atto', **FROM_SECOND),
    'DaViT': _mmpretrain('DaViT', [192, 384, 768], arch='tiny', pad_small_map=True, **LAST_THREE),
    'EdgeNeXt': _mmpretrain('EdgeNeXt', [48, 88, 168], arch='xxsmall', **FROM_SECOND),
    'EfficientNetV2': _mmpretrain('EfficientNetV2', [48, 112, 192], arch='b0',
                                  out_indices=(3, 5, 6))._replace(
        idle='layers.7.', note=LAST_IDLE),
    'HorNet': _mmpretrain('HorNet', [128, 256, 512], arch='tiny', **FROM_SECOND),
    'MViT': _mmpretrain('MViT', [192, 384, 768], arch='tiny', out_scales=(1, 2, 3)),
    'MobileNetV3': _mmpretrain('MobileNetV3', [24, 48, 96], arch='small',
                               out_indices=(3, 8, 11))._replace(
        idle='layer12.', note=LAST_IDLE),
    'MobileOne': _mmpretrain('MobileOne', [128, 256, 1024], arch='s0', **LAST_THREE),
    'PoolFormer': _mmpretrain('PoolFormer', [128, 320, 512], arch='s12', out_indices=(2, 4, 6)),
    'RepVGG': _mmpretrain('RepVGG', [96, 192, 1280], arch='A0', **LAST_THREE),
    'SwinTransformerV2': _mmpretrain('SwinTransformerV2', [192, 384, 768], arch='tiny',
                                     pad_small_map=True, **LAST_THREE),
    'VAN': _mmpretrain('VAN', [64, 160, 256], arch='tiny', **LAST_THREE),
    'VisionTransformer': _mmpretrain('VisionTransformer', [192], arch='deit-tiny',
                                     out_type='featmap')._replace(note='one map')}
OTHERS['VisionTransformer'].lines.update(
    neck=dict(_delete_=True, type='ChannelMapper', in_channels=[192], out_channels=256,
              num_outs=4), bbox_head=_strides(16, 32, 64, 128))

#: Name -> entry, of all.
ENTRIES: dict[str, Entry] = {**BACKBONES, **NECKS, **OTHERS}
