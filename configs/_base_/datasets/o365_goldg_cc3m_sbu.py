# Objects365, GoldG and 4 million captions with pseudo boxes: GLIP-T
_base_ = './pretraining_sources.py'

train_dataloader = dict(
    dataset=dict(datasets=[
        {{_base_.o365}}, {{_base_.flickr30k}}, {{_base_.mixed_no_coco}}, {{_base_.cc3m}},
        {{_base_.sbu}}
    ]))
