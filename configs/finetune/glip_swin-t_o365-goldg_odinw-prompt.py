# GLIP-T (C) on one data set of ODinW, of which an offset to its prompt is all that learns: without
# that prompt the model is exactly as it was. ODINW_SET=NAME, otherwise Aquarium.
_base_ = ['./glip_swin-t_o365-goldg_odinw.py', '../_base_/tuning/prompt.py']

model = dict(tuning={{_base_.tuning}})
optim_wrapper = {{_base_.tuning_optim_wrapper}}
