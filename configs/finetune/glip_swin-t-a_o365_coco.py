# GLIP-T (A) fine-tuned on COCO.
_base_ = [
    '../_base_/models/glip_swin-t-a.py', '../_base_/datasets/coco_finetune.py',
    '../_base_/schedules/coco_finetune.py', '../_base_/pretrain_runtime.py'
]

load_from = ('https://download.openmmlab.com/mmdetection/v3.0/glip/'
             'glip_tiny_a_mmdet-b3654169.pth')
default_hooks = dict(
    checkpoint=dict(by_epoch=True, interval=1, save_best='coco/bbox_mAP', rule='greater'))
