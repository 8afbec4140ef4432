# The whole of GLIP at a size that two CPU cores train in minutes: everything is learned from the
# drawn images but the language model, which is a small pretrained one and stays frozen.
_base_ = [
    '../_base_/datasets/grounding_world.py', '../_base_/schedules/adamw.py',
    '../_base_/default_runtime.py'
]

channels = 64
model = dict(
    type='GLIP',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[103.53, 116.28, 123.675],
        std=[57.375, 57.12, 58.395],
        bgr_to_rgb=False,
        pad_size_divisor=32),
    backbone=dict(
        type='ResNet',
        depth=18,
        base_channels=32,
        stem_channels=32,
        # objects are small: the last stage would cost more than it sees
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(1, 2),
        norm_cfg=dict(type='BN'),
        norm_eval=False,  # nothing is pretrained here: statistics must be learned
        style='pytorch'),
    neck=dict(
        type='FPN',
        in_channels=[64, 128],
        out_channels=channels,
        relu_before_extra_convs=True,
        add_extra_convs='on_output',
        num_outs=3),
    language_model=dict(
        type='BertLanguageModel', name=_base_.tokenizer, frozen=True, cache_tokens=2_000_000),
    fusion_neck=dict(
        type='VLFusionNeck',
        in_channels=channels,
        num_layers=1,
        embed_dim=256,
        num_heads=4,
        dropout=0.,
        layer_scale=0.1,  # 1 / num_layers would drown a single untrained layer's input
        text_layer=dict(intermediate_dim=384, dropout=0.)),
    bbox_head=dict(
        type='ATSSGroundingHead',
        in_channels=channels,
        num_levels=3,
        # objects are 25 to 58 pixels wide
        anchor_generator=dict(
            type='AnchorGenerator',
            ratios=[1.0],
            octave_base_scale=3.5,
            center_offset=0.5,
            scales_per_octave=1,
            strides=[8, 16, 32])),
    test_cfg=dict(score_thr=0.05, nms_pre=1000, max_per_img=100))

max_epochs = 3
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
optim_wrapper = dict(
    # the first steps have large gradients: forget them soon, or they slow all that follow
    optimizer=dict(lr=1.5e-3, betas=(0.9, 0.98), weight_decay=0.01),
    # words start out hardly different in the visual space, and a short run has no time to pull
    # them apart: without this even colours stay at chance for hundreds of iterations
    paramwise_cfg=dict(custom_keys={
        'text_projection': dict(lr_mult=10.),
        'log_scale': dict(lr_mult=10.),
        # the pretrained words compose by themselves; a text layer free to learn the few seen
        # pairs by heart would undo that
        '.text.': dict(lr_mult=0.1)}))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(
        type='CosineAnnealingLR',
        by_epoch=True,
        begin=0,
        end=max_epochs,
        T_max=max_epochs,
        eta_min_ratio=0.01,
        convert_to_iter_based=True),
]
randomness = dict(seed=0)
