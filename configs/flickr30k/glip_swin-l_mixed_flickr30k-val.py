_base_ = [
    '../_base_/models/glip_swin-l.py', '../_base_/datasets/flickr30k_val.py',
    '../_base_/test_runtime.py'
]

model_name = 'glip_swin-l_mixed'
model = dict(test_cfg=_base_.protocol)
