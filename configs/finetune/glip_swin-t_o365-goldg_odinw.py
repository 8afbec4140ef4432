# GLIP-T (C) fine-tuned on one data set of ODinW: ODINW_SET=NAME, otherwise Aquarium
_base_ = [
    '../_base_/models/glip_swin-t.py', '../_base_/datasets/odinw_finetune.py',
    '../_base_/schedules/odinw_finetune.py'
]

# patch embedding and first stage stay as they are
model = dict(backbone=dict(frozen_stages=1))
load_from = ('https://download.openmmlab.com/mmdetection/v3.0/glip/'
             'glip_tiny_c_mmdet-2fc427dd.pth')
