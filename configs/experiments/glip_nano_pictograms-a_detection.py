# Image and text never meet before the head
_base_ = './glip_nano_pictograms.py'

model = dict(fusion_neck=dict(fuse=False))
