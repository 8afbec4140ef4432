# COCO train2017 and val2017: all 80 names in the order of their ids, as one prompt that never
# changes (194 tokens).
_base_ = './coco_zero-shot.py'

# the same as model.language_model.name
lang_model_name = 'bert-base-uncased'
data_root = 'data/coco/'
train_meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip',
                   'flip_direction', 'prompt')

train_pipeline = [
    dict(type='glip_mm.LoadImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='glip_mm.ClipBoxes'),
    dict(
        type='RandomChoiceResize',
        resize_type='glip_mm.ShortSideResize',
        scales=[(s, 1333) for s in (480, 560, 640, 720, 800)]),
    dict(type='RandomFlip', prob=0.5),
    dict(type='glip_mm.BuildPrompt', tokenizer=lang_model_name, method='simple', shuffle=False),
    dict(type='PackDetInputs', meta_keys=train_meta_keys),
]
# 32 images a step on 16 devices
train_dataloader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='glip_mm.StreamSampler'),
    batch_sampler=dict(type='glip_mm.StreamBatchSampler'),
    dataset=dict(
        type='glip_mm.GroundingStream',
        datasets=[
            dict(
                type='glip_mm.GroundingDataset',
                format='coco',
                data_root=data_root,
                ann_file='annotations/instances_train2017.json',
                data_prefix=dict(img='train2017/'),
                filter_cfg=dict(filter_empty_gt=True),
                pipeline=train_pipeline)
        ]))
