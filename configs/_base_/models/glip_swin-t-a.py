# GLIP-T (A): no fusion
_base_ = './glip_swin-t.py'

model = dict(fusion_neck=dict(fuse=False))
