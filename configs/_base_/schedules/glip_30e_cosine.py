# As glip_30e, with half a cosine after the warm-up instead of steps. It ends at a hundredth of
# each rate; the released code's cosine has the whole training as its period and stops a little
# above that: T_max=<number of iterations> gives exactly that.
_base_ = './glip_30e.py'

param_scheduler = [
    {{_base_.warmup}},
    dict(type='CosineAnnealingLR', by_epoch=False, begin=2000, eta_min_ratio=0.01),
]
