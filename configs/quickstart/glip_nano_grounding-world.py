# The whole of GLIP at a size that two CPU cores train in minutes, on detection and grounding data.
# docs/experiments.md says what makes its numbers hold ("What swings from run to run").
_base_ = '../experiments/glip_nano_grounding-world.py'

# a checkpoint a minute or so; the test that follows takes the place of a validation
max_epochs = 4
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs + 1)
warmup, cosine = _base_.param_scheduler
param_scheduler = [warmup, dict(cosine, end=max_epochs, T_max=max_epochs)]
del warmup, cosine

# seven images with class names to one with a caption: phrases are learned soon, pairs are not
train_dataloader = dict(
    dataset=dict(copies=[1.02, 0.146]),
    # on two cores a process that loads images takes its time from those that compute
    num_workers=0,
    persistent_workers=False)

# What image and words tell each other starts at a hundredth and grows slowly, and dropout adds no
# noise: the words' own meaning, which new pairs share with known ones, is learned first
model = dict(fusion_neck=dict(layer_scale=0.01, dropout=0., text_layer=dict(dropout=0.)))
optim_wrapper = dict(
    type='glip_mm.AutoAmpOptimWrapper',
    paramwise_cfg=dict(
        custom_keys={'gamma_v': dict(lr_mult=0.02), 'gamma_l': dict(lr_mult=0.02)}))
