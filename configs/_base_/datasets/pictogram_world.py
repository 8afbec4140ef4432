# Things with names on photos, drawn by tools/misc/make_grounding_world.py --kind pictograms
_base_ = './drawn_world.py'
data_root = 'data/pictogram_world/'
detection_pipeline = [
    dict(step, num_negatives=40) if step.type == 'glip_mm.BuildPrompt' else step
    for step in _base_.detection_pipeline
]

# words of other captions beside the image's own: not everything that is said is there
grounding_pipeline = [
    dict(
        type='glip_mm.PackCaptions',
        tokenizer=_base_.tokenizer,
        num_negatives=6,
        full_prob=0.5,
        none_prob=0.1), *_base_.grounding_pipeline
]

gold_detection = dict(
    type='glip_mm.GroundingDataset',
    data_root=data_root,
    ann_file='annotations/gold_detection.jsonl',
    label_map_file='annotations/label_map.json',
    data_prefix=_base_.image_prefix,
    pipeline=detection_pipeline)
gold_captions = dict(
    type='glip_mm.GroundingDataset',
    data_root=data_root,
    ann_file='annotations/gold_captions.jsonl',
    data_prefix=_base_.image_prefix,
    pipeline=grounding_pipeline)
train_dataloader = dict(dataset=dict(datasets=[gold_detection, gold_captions]))

# Prompts of the tests; the names of a prompt are those of its annotation file. ``all`` asks for the
# whole vocabulary, and its parts are scored apart: named by gold boxes, by gold captions, by the
# pool, never named but made of words that are, never named. The other prompts hold few names.
parts = ('named', 'captioned', 'pool', 'compounds', 'unnamed')
prompts = dict(all='named', few='few', synonyms='synonyms', hypernyms='hypernyms')

loaders = {
    split: dict(
        dataset=dict(datasets=[
            dict(
                type='glip_mm.ZeroShotDataset',
                data_root=data_root,
                ann_file=f'annotations/{split}_{file}.json',
                data_prefix=_base_.image_prefix,
                test_mode=True,
                return_classes=True) for file in prompts.values()
        ] + [
            dict(
                type='glip_mm.GroundingDataset',
                data_root=data_root,
                ann_file=f'annotations/{split}_phrases.jsonl',
                data_prefix=_base_.image_prefix,
                test_mode=True,
                pipeline=_base_.test_phrase_pipeline)
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
# in place of the latter two: the style that no training image has
style_dataloader, style_evaluator = loaders['test_style'], evaluators['test_style']
del loaders, evaluators
