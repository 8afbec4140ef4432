# Objects365: GLIP-T (A) and (B)
_base_ = './pretraining_sources.py'

train_dataloader = dict(dataset=dict(datasets=[{{_base_.o365}}]))
