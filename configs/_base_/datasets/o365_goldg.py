# Objects365, Flickr30k entities and GQA (GoldG without COCO images) in one shuffled stream.
_base_ = './o365.py'

flickr30k_train = dict(
    type='ODVGDataset',
    data_root='data/flickr30k_entities/',
    ann_file='final_flickr_separateGT_train_vg.json',
    data_prefix=dict(img='flickr30k_images/'),
    return_classes=True,
    filter_cfg=dict(filter_empty_gt=False),
    pipeline={{_base_.train_pipeline}})
gqa_train = dict(
    type='ODVGDataset',
    data_root='data/gqa/',
    ann_file='final_mixed_train_no_coco_vg.json',
    data_prefix=dict(img='images/'),
    return_classes=True,
    filter_cfg=dict(filter_empty_gt=False),
    pipeline={{_base_.train_pipeline}})

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        ignore_keys=['classes', 'palette'],
        datasets=[{{_base_.o365_train}}, flickr30k_train, gqa_train]))
