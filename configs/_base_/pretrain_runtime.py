# As default_runtime; evaluation and checkpoints use averaged weights (decay 0.999, as published).
_base_ = './default_runtime.py'

custom_hooks = [
    dict(type='glip_mm.PreflightHook'),
    dict(type='glip_mm.FirstEvaluationHook'),
    dict(type='glip_mm.StepSeedHook'),
    dict(type='glip_mm.NonFiniteHook', policy='skip'),
    dict(type='glip_mm.AveragedWeightsHook', momentum=0.001),
    dict(type='glip_mm.TrainingCostHook'),
]
default_hooks = dict(
    # a resumed training goes on in the middle of an epoch
    checkpoint=dict(
        by_epoch=False, interval=2500, save_best='coco/bbox_mAP', rule='greater'))
