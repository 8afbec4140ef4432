# Detection data alone, for as many steps
_base_ = './glip_nano_pictograms.py'

train_dataloader = dict(dataset=dict(ratios=[1, 0]))
