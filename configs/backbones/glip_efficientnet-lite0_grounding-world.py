# The quickstart's data for a model that has seen photos already: an ImageNet backbone from PyPI.
# What it learns here are words, fusion and boxes; a start for fine-tuning on photos.
_base_ = [
    '../experiments/glip_nano_grounding-world.py', '../_base_/models/efficientnet-lite0.py'
]

model = _base_.efficientnet_lite0

# drawn objects are 25 to 58 pixels wide, the smallest boxes of this model 64
resize = dict(type='Resize', scale=(256, 256), keep_ratio=True)
# images grow after boxes are read in training, which grow with them, and before in tests
train_dataloader = dict(
    dataset=dict(datasets=[
        dict(data, pipeline=data.pipeline[:2] + [resize] + data.pipeline[2:])
        for data in _base_.train_dataloader.dataset.datasets
    ]))
test_pipeline, test_phrase_pipeline = (
    steps[:1] + [resize] + steps[1:]
    for steps in (_base_.test_pipeline, _base_.test_phrase_pipeline))
loaders = {
    split: dict(
        dataset=dict(
            pipeline=test_pipeline,
            datasets=[*views[:-1], dict(views[-1], pipeline=test_phrase_pipeline)]))
    for split, views in ((split, _base_[f'{split}_dataloader'].dataset.datasets)
                         for split in ('val', 'test'))
}
val_dataloader, test_dataloader = loaders['val'], loaders['test']
del loaders

# pretrained weights need smaller steps than new ones, and fewer
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=0.2)}))
max_epochs = 1
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_epochs, T_max=max_epochs)
]
