# COCO val2017 by its class names, as published: short side 800, long side at most 1333, resized by
# Pillow with the long side rounded down.
dataset_type = 'CocoDataset'
data_root = 'data/coco/'
meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'text',
             'custom_entities', 'tokens_positive', 'caption_prompt', 'prompt')

# the name by which MMDetection's inferencer knows the step that it replaces; ours, as all of them
test_pipeline = [
    dict(type='LoadImageFromFile', _scope_='glip_mm', imdecode_backend='pillow'),
    dict(type='glip_mm.ShortSideResize', scale=(800, 1333)),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=meta_keys),
]
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/instances_val2017.json',
        data_prefix=dict(img='val2017/'),
        test_mode=True,
        return_classes=True,
        pipeline=test_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(
    type='glip_mm.CocoMetric',
    ann_file=data_root + 'annotations/instances_val2017.json',
    metric='bbox')
test_evaluator = val_evaluator
