# One data set of ODinW: that of the environment variable ODINW_SET, otherwise Aquarium. Few-shot
# subsets and several seeds: tools/finetune.py --data odinw:NAME.
_base_ = ['./zero_shot_pipelines.py', './odinw.json']

lang_model_name = 'bert-base-uncased'
chosen = [d for d in _base_.odinw if d['name'] == '{{$ODINW_SET:Aquarium}}'][0]
data_root = f"data/odinw/{chosen['root']}/"
name, classes = chosen['name'], chosen['classes']
caption_prompt = chosen.get('prompt')
train_file, train_images = chosen['splits']['train']
val_file, val_images = chosen['splits'][chosen['evaluated']]
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
    dict(
        type='glip_mm.BuildPrompt',
        tokenizer=lang_model_name,
        method='simple',
        shuffle=False,
        caption_prompt=caption_prompt),
    dict(type='PackDetInputs', meta_keys=train_meta_keys),
]
common = dict(
    type='glip_mm.ZeroShotDataset',
    dataset_name=name,
    data_root=data_root,
    metainfo=dict(classes=classes))
# 4 images a step on 4 devices
train_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        ann_file=train_file,
        data_prefix=dict(img=train_images),
        pipeline=train_pipeline,
        **common))
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        ann_file=val_file,
        data_prefix=dict(img=val_images),
        caption_prompt=caption_prompt,
        test_mode=True,
        pipeline=_base_.test_pipeline,
        **common))
test_dataloader = val_dataloader
val_evaluator = dict(
    type='glip_mm.ODinWMetric',
    datasets={name: data_root + val_file},
    num_classes={name: len(classes)})
test_evaluator = val_evaluator
# said once, above
odinw = None
del chosen, name, classes, caption_prompt, common
