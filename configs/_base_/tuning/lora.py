# Adapters of rank 8 beside all linear layers, and the linear probe. Ours: the usual rate of LoRA.
tuning = 'lora'
tuning_optim_wrapper = dict(
    constructor='glip_mm.GLIPOptimWrapperConstructor',
    optimizer=dict(lr=2e-4, weight_decay=0.05),
    paramwise_cfg=dict(_delete_=True, language_lr_mult=1.0))
