# Things with names, of which gold boxes name a hundred: where all of its experiments start
_base_ = [
    '../_base_/models/glip_nano.py', '../_base_/models/glip_pictograms.py',
    '../_base_/datasets/pictogram_world.py', '../_base_/schedules/nano.py',
    '../_base_/default_runtime.py'
]

model = _base_.glip_pictograms

# detection data alone; others share the data otherwise, and train for the same number of steps
train_dataloader = dict(dataset=dict(samples_per_epoch=6000, ratios=[1, 0]))
max_epochs = 2
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [warm_up, dict(cosine, end=max_epochs, T_max=max_epochs)]

optim_wrapper = dict(
    type='glip_mm.AutoAmpOptimWrapper',
    # these names are words of a language, not pairs of sixteen words: the text layer may learn
    paramwise_cfg=dict(custom_keys={'.text.': dict(lr_mult=1.)}))
randomness = dict(seed=0)
