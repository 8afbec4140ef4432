# 30 epochs of batches of 64 (GLIP, appendix C): AdamW 1e-4, language model 1e-5, gradients clipped
# to norm 1, linear warm-up, steps at 67 % and 89 % of all iterations.
optim_wrapper = dict(
    type='glip_mm.AutoAmpOptimWrapper',
    constructor='glip_mm.GLIPOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=1e-4),
    paramwise_cfg=dict(language_lr_mult=0.1, bias_lr_mult=2.0, bias_decay_mult=0.0),
    clip_grad=dict(max_norm=1.0, norm_type=2))

train_cfg = dict(type='glip_mm.ResumableEpochLoop', max_epochs=30, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='glip_mm.ResumableTestLoop')

# LinearLR counts values, not steps: the full rate is the 2001st, as published
warmup = dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=2001)
param_scheduler = [
    warmup,
    dict(type='glip_mm.FractionStepLR', by_epoch=False, fractions=(0.67, 0.89), gamma=0.1),
]
auto_scale_lr = dict(enable=False, base_batch_size=64)
