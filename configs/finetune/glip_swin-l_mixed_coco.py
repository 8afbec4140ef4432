# GLIP-L fine-tuned on COCO. That model averages no weights.
_base_ = [
    '../_base_/models/glip_swin-l.py', '../_base_/datasets/coco_finetune.py',
    '../_base_/schedules/coco_finetune.py', '../_base_/default_runtime.py'
]

load_from = ('https://download.openmmlab.com/mmdetection/v3.0/glip/'
             'glip_l_mmdet-abfe026b.pth')
default_hooks = dict(checkpoint=dict(save_best='coco/bbox_mAP', rule='greater'))
