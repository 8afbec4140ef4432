# How an image of an evaluation is read: short side 800, long side at most 1333, resized by Pillow
# with the long side rounded down, as published for every benchmark.
_base_ = './multi_scale.py'

meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'text',
             'custom_entities', 'tokens_positive', 'caption_prompt', 'prompt', 'dataset_name')
phrase_meta_keys = (*meta_keys, 'phrases', 'phrase_types', 'sentence_id')

# the name by which MMDetection's inferencer knows the step that it replaces; ours, as all of them
test_pipeline = [
    dict(type='LoadImageFromFile', _scope_='glip_mm', imdecode_backend='pillow'),
    dict(type='glip_mm.ShortSideResize', scale=(800, 1333)),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=meta_keys),
]
phrase_pipeline = [*test_pipeline[:-1], dict(type='PackDetInputs', meta_keys=phrase_meta_keys)]

test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False))
