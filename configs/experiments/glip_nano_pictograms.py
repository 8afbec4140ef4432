# Things with names: gold boxes name a hundred of them, gold captions three hundred
_base_ = [
    '../_base_/models/glip_nano.py', '../_base_/datasets/pictogram_world.py',
    '../_base_/schedules/nano.py', '../_base_/default_runtime.py'
]

# things are 36 to 90 pixels wide: no fine level is needed, and the time goes to what they are
model = dict(
    backbone=dict(num_stages=4, strides=(1, 2, 2, 2), dilations=(1, 1, 1, 1), out_indices=(2, 3)),
    neck=dict(in_channels=[128, 256], out_channels=96, num_outs=2),
    fusion_neck=dict(layer_scale=0.01, dropout=0., text_layer=dict(dropout=0.)),
    bbox_head=dict(anchor_generator=dict(octave_base_scale=3.5, strides=[16, 32])),
    test_cfg=dict(chunked_size=40, max_per_img=50))

optim_wrapper = dict(
    type='glip_mm.AutoAmpOptimWrapper',
    paramwise_cfg=dict(
        custom_keys={'gamma_v': dict(lr_mult=0.02), 'gamma_l': dict(lr_mult=0.02)}))
randomness = dict(seed=0)
