# COCO val2017, 80 class names in one prompt
_base_ = '../datasets/zero_shot_pipelines.py'

benchmark = 'coco'
data_root = 'data/coco/'
ann_file = 'annotations/instances_val2017.json'

test_dataloader = dict(
    dataset=dict(
        type='CocoDataset',
        data_root=data_root,
        ann_file=ann_file,
        data_prefix=dict(img='val2017/'),
        test_mode=True,
        return_classes=True,
        pipeline=_base_.test_pipeline))
test_evaluator = dict(type='glip_mm.CocoMetric', ann_file=data_root + ann_file, metric='bbox')
