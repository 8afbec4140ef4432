# Everything learns, as published for ODinW (COCO: lr 1e-5 for all, language_lr_mult 1).
tuning = 'full'
tuning_optim_wrapper = dict(
    constructor='glip_mm.GLIPOptimWrapperConstructor',
    optimizer=dict(lr=1e-4, weight_decay=0.05),
    paramwise_cfg=dict(_delete_=True, language_lr_mult=0.1))
