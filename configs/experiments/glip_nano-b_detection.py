# Ablation (B): detection data only, with fusion. Every image is read twice an epoch, so that the
# run has as many steps of as many images as the quickstart's, which reads captions as well.
_base_ = '../quickstart/glip_nano_grounding-world.py'

detection = _base_.train_dataloader.dataset.datasets[0]
train_dataloader = dict(dataset=dict(datasets=[detection], copies=[2]))
