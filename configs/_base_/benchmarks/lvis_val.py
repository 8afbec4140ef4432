# LVIS 1.0 val (19,809 images, 1,203 classes)
_base_ = './lvis_minival.py'

benchmark = 'lvis_val'
# the file that the authors name; lvis_v1_val.json of the LVIS site will do as well
ann_file = 'annotations/lvis_od_val.json'

test_dataloader = dict(dataset=dict(dataset_name=benchmark, ann_file=ann_file))
test_evaluator = [dict(m, ann_file=_base_.data_root + ann_file) for m in _base_.test_evaluator]
