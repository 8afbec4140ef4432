# GLIP-T (A): no fusion, Objects365
_base_ = './glip_swin-t_o365.py'

model = dict(fusion_neck=dict(fuse=False))
