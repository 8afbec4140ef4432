# GLIP-L: Swin-L and eight fusion blocks
_base_ = './glip_swin-t.py'

model = dict(
    backbone=dict(
        pretrain_img_size=384,
        embed_dims=192,
        depths=[2, 2, 18, 2],
        num_heads=[6, 12, 24, 48],
        window_size=12,
        drop_path_rate=0.4,
        # the published run froze patch embedding and first stage
        frozen_stages=1,
        init_cfg=dict(
            checkpoint='https://github.com/SwinTransformer/storage/releases/download/v1.0.0/'
            'swin_large_patch4_window12_384_22k.pth')),
    neck=dict(in_channels=[384, 768, 1536]),
    fusion_neck=dict(num_layers=8))
