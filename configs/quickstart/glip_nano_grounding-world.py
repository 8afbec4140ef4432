# The whole of GLIP at a size that two CPU cores train in minutes: everything is learned from the
# drawn images but the language model, which is a small pretrained one and stays frozen.
_base_ = [
    '../_base_/models/glip_swin-t.py', '../_base_/datasets/grounding_world.py',
    '../_base_/schedules/adamw.py', '../_base_/default_runtime.py'
]

channels = 64
model = dict(
    backbone=dict(
        _delete_=True,
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
        _delete_=True,
        type='FPN',
        in_channels=[64, 128],
        out_channels=channels,
        relu_before_extra_convs=True,
        add_extra_convs='on_output',
        num_outs=3),
    # this model was tuned to sum up sentences: in its last layers the words of one class take on
    # what the others say, and new combinations of known words no longer read as such
    language_model=dict(name=_base_.tokenizer, depth=2, frozen=True, cache_tokens=2_000_000),
    fusion_neck=dict(
        in_channels=channels,
        num_layers=1,
        embed_dim=256,
        num_heads=4,
        layer_scale=0.1,  # 1 / num_layers would drown a single untrained layer's input
        text_layer=dict(intermediate_dim=384),
        with_cp=False),
    bbox_head=dict(
        in_channels=channels,
        num_levels=3,
        # objects are 25 to 58 pixels wide
        anchor_generator=dict(octave_base_scale=3.5, strides=[8, 16, 32])))

max_epochs = 3
train_cfg = dict(
    type='ResumableEpochLoop', max_epochs=max_epochs, val_interval=max_epochs)
optim_wrapper = dict(
    # the first steps have large gradients: forget them soon, or they slow all that follow
    optimizer=dict(lr=1.5e-3, betas=(0.9, 0.98), weight_decay=0.05),
    # words start out hardly different in the visual space, and a short run has no time to pull
    # them apart: without this even colours stay at chance for hundreds of iterations
    paramwise_cfg=dict(custom_keys={
        # the decay keeps it from telling the few seen pairs apart by what they do not share
        'text_projection': dict(lr_mult=10., decay_mult=4.),
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
