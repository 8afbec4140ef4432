# COCO test-dev2017: a file for the evaluation server, as the boxes are not public
_base_ = './coco.py'

benchmark = 'coco_testdev'
ann_file = 'annotations/image_info_test-dev2017.json'

test_dataloader = dict(dataset=dict(ann_file=ann_file, data_prefix=dict(img='test2017/')))
test_evaluator = dict(
    _delete_=True, type='glip_mm.COCOSubmission', ann_file=_base_.data_root + ann_file)
