# Objects365 and GoldG without COCO's images: GLIP-T (C)
_base_ = './pretraining_sources.py'

train_dataloader = dict(
    dataset=dict(datasets=[{{_base_.o365}}, {{_base_.flickr30k}}, {{_base_.mixed_no_coco}}]))
