# Objects365 as detection data in ODVG JSON lines: class names become prompts.
_base_ = './coco_zero-shot.py'

# counts the tokens of a prompt: the same as model.language_model.name
lang_model_name = 'bert-base-uncased'
train_meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip',
                   'flip_direction', 'prompt')
train_pipeline = [
    dict(type='LoadImageFromFile', imdecode_backend='pillow'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='RandomChoiceResize',
        resize_type='ShortSideResize',
        scales=[(s, 1333) for s in (480, 560, 640, 720, 800)]),
    dict(type='RandomFlip', prob=0.5),
    # up to 85 absent classes a prompt, as published
    dict(type='BuildPrompt', tokenizer=lang_model_name, num_negatives=85),
    dict(type='PackDetInputs', meta_keys=train_meta_keys),
]
o365_train = dict(
    type='ODVGDataset',
    data_root='data/objects365v1/',
    ann_file='o365v1_train_odvg.json',
    label_map_file='o365v1_label_map.json',
    data_prefix=dict(img='train/'),
    return_classes=True,
    filter_cfg=dict(filter_empty_gt=False),
    pipeline=train_pipeline)

train_dataloader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='AspectRatioBatchSampler'),
    dataset=o365_train)
