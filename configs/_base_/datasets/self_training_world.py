# Gold data that name some of the words, and a pool of captions without boxes that holds all of
# them, drawn by tools/misc/make_grounding_world.py --kind self_training
_base_ = './drawn_world.py'
data_root = 'data/self_training_world/'

gold_detection = dict(
    type='glip_mm.GroundingDataset',
    data_root=data_root,
    ann_file='annotations/gold_detection.jsonl',
    label_map_file='annotations/label_map.json',
    data_prefix=_base_.image_prefix,
    pipeline=_base_.detection_pipeline)
gold_grounding = dict(
    type='glip_mm.GroundingDataset',
    data_root=data_root,
    ann_file='annotations/gold.jsonl',
    data_prefix=_base_.image_prefix,
    pipeline=_base_.grounding_pipeline)
train_dataloader = dict(dataset=dict(datasets=[gold_detection, gold_grounding]))

# Two views of the same images and the captions, evaluated in one run. All 64 names compete in the
# prompt; ``known`` holds the boxes of the pairs that the gold data name, ``new`` the others.
colours = ('red', 'orange', 'yellow', 'green', 'blue', 'purple', 'white', 'black')
shapes = ('circle', 'square', 'triangle', 'star', 'heart', 'cross', 'ring', 'arrow')
classes = tuple(f'{c} {s}' for c in colours for s in shapes)
views = ('known', 'new')

loaders = {
    split: dict(
        dataset=dict(datasets=[
            dict(
                type='CocoDataset',
                data_root=data_root,
                ann_file=f'annotations/{split}_{view}.json',
                data_prefix=_base_.image_prefix,
                metainfo=dict(classes=classes),
                test_mode=True,
                return_classes=True) for view in views
        ] + [
            dict(
                type='glip_mm.GroundingDataset',
                data_root=data_root,
                ann_file=f'annotations/{split}.jsonl',
                data_prefix=_base_.image_prefix,
                test_mode=True,
                pipeline=_base_.test_phrase_pipeline)
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
