# The quickstart's model on microscope images of blood: three classes, many small objects that
# touch. The data lie in data/bccd, or where the environment variable BCCD_ROOT says.
_base_ = './glip_nano_raccoon.py'

data_root = '{{$BCCD_ROOT:data/bccd}}'
data = dict(data_root=data_root, metainfo=dict(classes=('Platelets', 'RBC', 'WBC')))
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
val_evaluator = dict(ann_file=f'{data_root}/val.json')
test_evaluator = dict(ann_file=f'{data_root}/test.json')
