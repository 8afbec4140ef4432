# 30 epochs of batches of 64 (GLIP, appendix C): AdamW 1e-4, language model 1e-5, gradients clipped
# to norm 1, linear warm-up, steps at 67 % and 89 %.
optim_wrapper = dict(
    type='AmpOptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=1e-4),
    paramwise_cfg=dict(
        bias_lr_mult=2.0,
        bias_decay_mult=0.0,
        bypass_duplicate=True,
        custom_keys=dict(language_model=dict(lr_mult=0.1))),
    clip_grad=dict(max_norm=1.0, norm_type=2))

max_epochs = 30
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=2000),
    dict(type='MultiStepLR', by_epoch=True, begin=0, end=max_epochs, milestones=[20, 27],
         gamma=0.1),
]
auto_scale_lr = dict(enable=False, base_batch_size=64)
