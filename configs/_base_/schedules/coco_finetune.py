# 24 epochs of batches of 32, as published: 1e-5 for all parts, the language model too; all else as
# in pre-training.
_base_ = './glip_30e.py'

optim_wrapper = dict(
    optimizer=dict(lr=1e-5), paramwise_cfg=dict(language_lr_mult=1.0))
train_cfg = dict(max_epochs=24)
auto_scale_lr = dict(enable=False, base_batch_size=32)
