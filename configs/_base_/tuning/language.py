# The language model learns, at its published rate of 1e-5.
tuning = 'language'
tuning_optim_wrapper = dict(
    constructor='glip_mm.GLIPOptimWrapperConstructor',
    optimizer=dict(lr=1e-4, weight_decay=0.05),
    paramwise_cfg=dict(_delete_=True, language_lr_mult=0.1))
