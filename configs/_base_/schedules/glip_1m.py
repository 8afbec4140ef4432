# A million batches of 64, as published for GLIP-L: a hundred times the weight decay, which steps
# down, too, each time at two thirds of the way to a step of the learning rate.
_base_ = './glip_30e.py'

optim_wrapper = dict(optimizer=dict(weight_decay=0.01))

train_cfg = dict(
    _delete_=True, type='glip_mm.ResumableIterLoop', max_iters=1_000_000, val_interval=50_000)

decay_ratio = 0.667
param_scheduler = [
    {{_base_.warmup}},
    dict(type='glip_mm.FractionStepLR', by_epoch=False, fractions=(0.67, 0.89), gamma=0.1),
    dict(
        type='glip_mm.FractionStepParamScheduler',
        param_name='weight_decay',
        by_epoch=False,
        fractions=(0.67 * decay_ratio, 0.89 * decay_ratio),
        gamma=0.1),
]
