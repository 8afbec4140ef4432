# Flickr30k Entities, val split: 1,000 images with five captions each
_base_ = '../datasets/flickr30k.py'

benchmark = 'flickr30k_val'
test_dataloader = dict(
    dataset=dict(dataset_name=benchmark, ann_file='flickr30k/val.txt'))
