# Linear probe at 1e-4 and prompt offset at 0.05 (decay 0.25), as the published code meant it.
tuning = 'linear_prompt'
tuning_optim_wrapper = dict(
    constructor='glip_mm.GLIPOptimWrapperConstructor',
    optimizer=dict(lr=1e-4, weight_decay=0.05),
    paramwise_cfg=dict(_delete_=True, language_lr_mult=0.1,
                       custom_keys=dict(prompt_table=dict(lr_mult=500.0, decay_mult=5.0))))
