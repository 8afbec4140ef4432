# Three epochs of a nano model, from nothing but a frozen language model
_base_ = './adamw.py'

max_epochs = 3
train_cfg = dict(
    type='glip_mm.ResumableEpochLoop', max_epochs=max_epochs, val_interval=max_epochs)
optim_wrapper = dict(
    # the first steps have large gradients: forget them soon, or they slow all that follow
    optimizer=dict(lr=1.5e-3, betas=(0.9, 0.98), weight_decay=0.05),
    # words start out hardly different in the visual space, and a short run has no time to pull
    # them apart: without this even colours stay at chance for hundreds of iterations
    constructor='DefaultOptimWrapperConstructor',  # that of the published runs of this model
    paramwise_cfg=dict(_delete_=True, bias_decay_mult=0., custom_keys={
        'language_model': dict(lr_mult=0.1),
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
