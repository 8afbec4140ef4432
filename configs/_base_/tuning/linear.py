# Box, centerness and region-word outputs learn: nine tensors. As published.
tuning = 'linear'
tuning_optim_wrapper = dict(
    constructor='glip_mm.GLIPOptimWrapperConstructor',
    optimizer=dict(lr=1e-4, weight_decay=0.05),
    paramwise_cfg=dict(_delete_=True, language_lr_mult=0.1))
