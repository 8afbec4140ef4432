# A small, fast model: CSPNeXt-S, a 128-channel pyramid, three narrower fusion blocks.
_base_ = '../glip/glip_swin-t_o365.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='CSPNeXt',
        deepen_factor=0.33,
        widen_factor=0.5,
        out_indices=(2, 3, 4),
        init_cfg=dict(
            type='Pretrained',
            prefix='backbone.',
            checkpoint='https://download.openmmlab.com/mmdetection/v3.0/rtmdet/'
            'cspnext_rsb_pretrain/cspnext-s_imagenet_600e.pth')),
    neck=dict(in_channels=[128, 256, 512], out_channels=128),
    fusion_neck=dict(num_layers=3, embed_dim=512, num_heads=4))
