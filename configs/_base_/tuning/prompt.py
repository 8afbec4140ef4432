# One vector for each token of one fixed prompt learns. As published.
tuning = 'prompt'
tuning_optim_wrapper = dict(
    constructor='glip_mm.GLIPOptimWrapperConstructor',
    optimizer=dict(lr=0.05, weight_decay=0.25),
    paramwise_cfg=dict(_delete_=True, language_lr_mult=0.1))
