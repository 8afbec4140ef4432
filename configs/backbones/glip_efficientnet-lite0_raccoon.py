# An ImageNet backbone that comes from PyPI, on photos: the nano model's neck, words and head learn
# from 150 images what they need, because seeing is learned already.
# The data lie in data/raccoon, or where the environment variable RACCOON_ROOT says.
_base_ = ['../real/glip_nano_raccoon.py', '../_base_/models/efficientnet-lite0.py']

model = _base_.efficientnet_lite0

scale = (320, 320)
train_pipeline = _base_.train_pipeline[:2] + [
    dict(
        type='RandomChoiceResize',
        scales=[(256, 256), scale, (384, 384)],
        keep_ratio=True)
] + _base_.train_pipeline[3:]
test_pipeline = _base_.test_pipeline[:1] + [
    dict(type='Resize', scale=scale, keep_ratio=True)
] + _base_.test_pipeline[2:]
train_dataloader = dict(
    dataset=dict(datasets=[dict(_base_.training_set, pipeline=train_pipeline)]))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

# nothing but the backbone is pretrained, and that by its init_cfg
load_from = None
# pretrained weights need smaller steps than new ones
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=0.2)}))
