# GLIP-L under DeepSpeed, which clips and steps itself
_base_ = ['./glip_swin-l_mixed.py', '../_base_/strategies/deepspeed.py']

optim_wrapper = dict(
    _delete_=True,
    type='DeepSpeedOptimWrapper',
    constructor='glip_mm.GLIPOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.01),
    paramwise_cfg=dict(language_lr_mult=0.1, bias_lr_mult=2.0, bias_decay_mult=0.0))
