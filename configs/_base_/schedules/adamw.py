# AdamW as published (GLIP, appendix): gradients clipped to norm 1, no decay on biases
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=1e-4),
    # MMEngine's constructor would let the biases of whatever custom_keys names decay
    constructor='glip_mm.GLIPOptimWrapperConstructor',
    paramwise_cfg=dict(language_lr_mult=0.1, bias_lr_mult=1.0, bias_decay_mult=0.0),
    clip_grad=dict(max_norm=1, norm_type=2))

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=12, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='glip_mm.ResumableTestLoop')

param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=2000),
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=12, milestones=[8, 11], gamma=0.1),
]
auto_scale_lr = dict(enable=False, base_batch_size=64)
