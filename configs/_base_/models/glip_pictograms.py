# GLIP for the pictogram world and what is tuned from it, upon the nano model: the backbone knows
# photos and stays frozen, and things are large, so two levels are enough.
# Take it with model = _base_.glip_pictograms.
_base_ = './efficientnet-lite0.py'

glip_pictograms = dict(
    data_preprocessor=_base_.efficientnet_lite0.data_preprocessor,
    backbone=dict(_base_.efficientnet_lite0.backbone, out_indices=(2, 3), frozen_stages=4),
    neck=dict(in_channels=[112, 320], out_channels=96, num_outs=2),
    fusion_neck=dict(dropout=0., text_layer=dict(dropout=0.)),
    # things are 36 to 90 pixels wide
    bbox_head=dict(anchor_generator=dict(octave_base_scale=3.5, strides=[16, 32])),
    test_cfg=dict(chunked_size=40, max_per_img=50))
