# GLIP-T (C) on one data set of ODinW; besides the tuned weights the training leaves those half way
# back to where it started, interpolated_0.5.pth, which keep most of what the model knew.
# ODINW_SET=NAME, otherwise Aquarium.
_base_ = './glip_swin-t_o365-goldg_odinw.py'

custom_hooks = [
    *_base_.custom_hooks,
    dict(type='glip_mm.InterpolatedWeightsHook', base=_base_.load_from, alphas=(0.5, )),
]
