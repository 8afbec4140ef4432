# The quickstart's model on photos: one class, few images, objects of any size. Continues from what
# the quickstart learned: 150 photos are too few to learn to see from, and with the frozen words
# already pulled apart a new name needs little. From scratch: --cfg-options load_from=None.
# The data lie in data/raccoon, or where the environment variable RACCOON_ROOT says.
_base_ = '../experiments/glip_nano_grounding-world.py'

data_root = '{{$RACCOON_ROOT:data/raccoon}}'
metainfo = dict(classes=('raccoon', ))

# most raccoons are 64 to 153 pixels wide at this size: what the model's three levels can see whole
scale = (192, 192)
train_pipeline = [
    dict(type='glip_mm.LoadImage', imdecode_backend='cv2'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='RandomChoiceResize',
        scales=[(160, 160), scale, (224, 224)],
        keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='glip_mm.BuildPrompt', tokenizer=_base_.tokenizer, fixed=True),
    dict(type='PackDetInputs', meta_keys=_base_.meta_keys),
]
test_pipeline = [
    dict(type='LoadImageFromFile', _scope_='glip_mm'),
    dict(type='Resize', scale=scale, keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=_base_.meta_keys),
]

# images without an object are kept: background for every word
training_set = dict(
    type='glip_mm.GroundingDataset',
    format='coco',
    data_root=data_root,
    ann_file='train.json',
    data_prefix=dict(img='images/'),
    pipeline=train_pipeline)
train_dataloader = dict(dataset=dict(datasets=[training_set]))
common = dict(
    type='CocoDataset',
    data_root=data_root,
    data_prefix=dict(img='images/'),
    metainfo=metainfo,
    return_classes=True)
val_dataloader = dict(
    dataset=dict(
        _delete_=True, ann_file='val.json', test_mode=True, pipeline=test_pipeline, **common))
test_dataloader = dict(
    dataset=dict(
        _delete_=True, ann_file='test.json', test_mode=True, pipeline=test_pipeline, **common))
val_evaluator = dict(
    _delete_=True, type='glip_mm.CocoMetric', metric='bbox', ann_file=f'{data_root}/val.json')
test_evaluator = dict(
    _delete_=True, type='glip_mm.CocoMetric', metric='bbox', ann_file=f'{data_root}/test.json')

load_from = 'work_dirs/quickstart/epoch_4.pth'
max_epochs = 24
train_cfg = dict(max_epochs=max_epochs, val_interval=2)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
warmup, cosine = _base_.param_scheduler
param_scheduler = [
    dict(warmup, end=40),
    dict(cosine, end=max_epochs, T_max=max_epochs),
]
default_hooks = dict(logger=dict(interval=5), checkpoint=dict(interval=4))
log_processor = dict(window_size=10)
