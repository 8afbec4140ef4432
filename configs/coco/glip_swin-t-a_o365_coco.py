_base_ = [
    '../_base_/models/glip_swin-t-a.py', '../_base_/datasets/coco_val2017.py',
    '../_base_/test_runtime.py'
]

model_name = 'glip_swin-t-a_o365'
