# Types of ours say so, and all others are MMDetection's: its tools build them under either scope
default_scope = 'glip_mm'
custom_imports = dict(imports=['glip_mm'], allow_failed_imports=False)

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='glip_mm.CheckpointHook',
        interval=1,
        max_keep_ckpts=3,
        backend_args=dict(backend='atomic')),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='glip_mm.DetVisualizationHook'))
custom_hooks = [
    dict(type='glip_mm.PreflightHook'),
    dict(type='glip_mm.FirstEvaluationHook'),
    dict(type='glip_mm.StepSeedHook'),
    dict(type='glip_mm.NonFiniteHook', policy='skip'),
    dict(type='glip_mm.TrainingCostHook'),
]

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'))

vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(
    type='glip_mm.GroundingVisualizer', vis_backends=vis_backends, name='visualizer')
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=True)

log_level = 'INFO'
load_from = None
resume = False
