# What the gold data alone teach: the teacher, which then labels the pool (tools/self_train.sh)
_base_ = [
    '../_base_/models/glip_nano.py', '../_base_/datasets/self_training_world.py',
    '../_base_/schedules/nano.py', '../_base_/default_runtime.py'
]

max_epochs = 6
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [warm_up, dict(cosine, end=max_epochs, T_max=max_epochs)]
default_hooks = dict(logger=dict(interval=50))
randomness = dict(seed=0)
