# The fusion tower and the outputs learn; image encoder, pyramid and text encoder do not. Ours.
tuning = 'head'
tuning_optim_wrapper = dict(
    constructor='glip_mm.GLIPOptimWrapperConstructor',
    optimizer=dict(lr=1e-4, weight_decay=0.05),
    paramwise_cfg=dict(_delete_=True, language_lr_mult=0.1))
