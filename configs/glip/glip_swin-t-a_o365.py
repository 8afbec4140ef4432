# GLIP-T (A): no fusion, Objects365
_base_ = [
    '../_base_/models/glip_swin-t-a.py', '../_base_/datasets/o365.py',
    '../_base_/schedules/glip_30e.py', '../_base_/pretrain_runtime.py'
]
