# GLIP-L: four detection sets, GoldG and 24 million captions with pseudo boxes. Copies as published:
# how often an epoch visits each set.
_base_ = './pretraining_sources.py'

train_dataloader = dict(
    dataset=dict(
        datasets=[
            {{_base_.o365}}, {{_base_.openimages}}, {{_base_.visual_genome}},
            {{_base_.imagenet_boxes}}, {{_base_.flickr30k}}, {{_base_.mixed_no_coco}},
            {{_base_.cap24m}}
        ],
        copies=[2, 1, 3, 2, 8, 4, 1]))
