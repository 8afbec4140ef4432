# Full tuning on one data set of ODinW, as published: up to 200 epochs; the rate falls to a tenth
# when two evaluations brought nothing, four end the training. No warm-up, no averaged weights.
_base_ = '../default_runtime.py'

optim_wrapper = dict(
    type='glip_mm.AutoAmpOptimWrapper',
    constructor='glip_mm.GLIPOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.05),
    paramwise_cfg=dict(language_lr_mult=0.1, bias_lr_mult=2.0, bias_decay_mult=0.0),
    clip_grad=dict(max_norm=1.0, norm_type=2))

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=200, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='glip_mm.ResumableTestLoop')

param_scheduler = [
    dict(
        type='ReduceOnPlateauLR',
        monitor='odinw/mean',
        rule='greater',
        factor=0.1,
        patience=2,
        min_value=1e-6)
]
auto_scale_lr = dict(enable=False, base_batch_size=4)

custom_hooks = [
    dict(type='glip_mm.StepSeedHook'),
    dict(type='glip_mm.NonFiniteHook', policy='skip'),
    dict(
        type='glip_mm.EarlyStoppingHook',
        monitor='odinw/mean',
        rule='greater',
        min_delta=0,
        check_finite=False,
        patience=4),
]
default_hooks = dict(checkpoint=dict(max_keep_ckpts=1, save_best='odinw/mean', rule='greater'))
