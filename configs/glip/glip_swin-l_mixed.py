# GLIP-L: Swin-L, eight fusion blocks, 27 million samples. Its image-text data were never released,
# nor was the whole of its recipe: what follows is what the authors' configuration says. That one
# averages no weights.
_base_ = [
    '../_base_/models/glip_swin-t.py', '../_base_/datasets/glip_l_mixed.py',
    '../_base_/schedules/glip_1m.py', '../_base_/default_runtime.py'
]

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

# 64 images a step on 64 devices
train_dataloader = dict(batch_size=1)
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=5000))
log_processor = dict(by_epoch=False)
