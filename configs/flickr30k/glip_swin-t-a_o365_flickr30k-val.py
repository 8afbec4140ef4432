_base_ = [
    '../_base_/models/glip_swin-t-a.py', '../_base_/datasets/flickr30k_val.py',
    '../_base_/test_runtime.py'
]

model_name = 'glip_swin-t-a_o365'
model = dict(test_cfg=_base_.protocol)
