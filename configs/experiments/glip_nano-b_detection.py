# Ablation (B): detection data only, with fusion. As published, every data set is read equally often
# in all variants: without the captions an epoch is half as long.
_base_ = './glip_nano_grounding-world.py'

detection = _base_.train_dataloader.dataset.datasets[0]
train_dataloader = dict(dataset=dict(datasets=[detection]))
