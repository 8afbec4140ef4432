# GLIP-T (C): fusion, Objects365 and GoldG
_base_ = [
    '../_base_/models/glip_swin-t.py', '../_base_/datasets/o365_goldg.py',
    '../_base_/schedules/glip_30e.py', '../_base_/pretrain_runtime.py'
]
