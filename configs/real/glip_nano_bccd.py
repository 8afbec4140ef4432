# The quickstart's model on microscope images of blood: three classes, many small objects that
# touch. The data lie in data/bccd, or where the environment variable BCCD_ROOT says.
_base_ = './glip_nano_raccoon.py'

data_root = '{{$BCCD_ROOT:data/bccd}}'
# red cells are 50 pixels wide at this size, platelets 20
scale = (320, 320)
train_pipeline = _base_.train_pipeline[:2] + [
    dict(
        type='RandomChoiceResize',
        scales=[(288, 288), scale, (352, 352)],
        keep_ratio=True)
] + _base_.train_pipeline[3:]
test_pipeline = _base_.test_pipeline[:1] + [
    dict(type='Resize', scale=scale, keep_ratio=True)
] + _base_.test_pipeline[2:]

data = dict(data_root=data_root, metainfo=dict(classes=('Platelets', 'RBC', 'WBC')))
train_dataloader = dict(
    dataset=dict(
        datasets=[dict(_base_.training_set, data_root=data_root, pipeline=train_pipeline)]))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **data))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline, **data))
val_evaluator = dict(ann_file=f'{data_root}/val.json')
test_evaluator = dict(ann_file=f'{data_root}/test.json')

# an epoch has more and larger images than the raccoons
max_epochs = 12
train_cfg = dict(max_epochs=max_epochs, val_interval=1)
warmup, cosine = _base_.param_scheduler
param_scheduler = [warmup, dict(cosine, end=max_epochs, T_max=max_epochs)]
