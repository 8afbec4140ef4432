# COCO test-dev2017: a file for the evaluation server, as the boxes are not public
_base_ = '../datasets/zero_shot_pipelines.py'

benchmark = 'coco_testdev'
data_root = 'data/coco/'
ann_file = 'annotations/image_info_test-dev2017.json'

test_dataloader = dict(
    dataset=dict(
        type='CocoDataset',
        data_root=data_root,
        ann_file=ann_file,
        data_prefix=dict(img='test2017/'),
        test_mode=True,
        return_classes=True,
        pipeline=_base_.test_pipeline))
test_evaluator = dict(type='glip_mm.COCOSubmission', ann_file=data_root + ann_file)
