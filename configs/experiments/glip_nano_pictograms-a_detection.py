# Detection data alone, and image and text never meet before the head
_base_ = './glip_nano_pictograms-b_detection.py'

model = dict(fusion_neck=dict(fuse=False))
