# Detection and grounding data drawn by tools/misc/make_grounding_world.py
_base_ = './drawn_world.py'
data_root = 'data/grounding_world/'

train_dataloader = dict(
    dataset=dict(
        datasets=[
            dict(
                type='glip_mm.GroundingDataset',
                data_root=data_root,
                ann_file='annotations/train_detection.jsonl',
                label_map_file='annotations/label_map.json',
                data_prefix=_base_.image_prefix,
                pipeline=_base_.detection_pipeline),
            dict(
                type='glip_mm.GroundingDataset',
                data_root=data_root,
                ann_file='annotations/train_grounding.jsonl',
                data_prefix=_base_.image_prefix,
                pipeline=_base_.grounding_pipeline),
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
        dataset=dict(datasets=[
            dict(
                type='CocoDataset',
                data_root=data_root,
                ann_file=f'annotations/{split}_{view}.json',
                data_prefix=_base_.image_prefix,
                metainfo=dict(classes=names),
                test_mode=True,
                return_classes=True) for view, names in views.items()
        ] + [
            dict(
                type='glip_mm.GroundingDataset',
                data_root=data_root,
                ann_file=f'annotations/{split}_phrases.jsonl',
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
