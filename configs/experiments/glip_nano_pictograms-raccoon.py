# The model of the pictogram world on raccoons: a start for few shots
_base_ = ['../real/glip_nano_raccoon.py', '../_base_/models/glip_pictograms.py']

model = dict(
    _base_.glip_pictograms, backbone=dict(_base_.glip_pictograms.backbone, frozen_stages=1))

scale = (224, 224)
train_pipeline = _base_.train_pipeline[:2] + [
    dict(type='RandomChoiceResize', scales=[(192, 192), scale, (256, 256)], keep_ratio=True)
] + _base_.train_pipeline[3:]
test_pipeline = _base_.test_pipeline[:1] + [
    dict(type='Resize', scale=scale, keep_ratio=True)
] + _base_.test_pipeline[2:]
train_dataloader = dict(
    dataset=dict(datasets=[dict(_base_.training_set, pipeline=train_pipeline)]))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
# pretrained weights need smaller steps than new ones
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=0.2)}))
load_from = None
