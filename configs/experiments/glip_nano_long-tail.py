# The quickstart's model on 512 names with a long tail, by the protocol of LVIS: chunks of 40 names,
# the 10,000 best detections of every name over the whole set, or the 300 best of every image.
_base_ = '../quickstart/glip_nano_grounding-world.py'

ann_file = 'annotations/long_tail.json'
model = dict(test_cfg=dict(chunked_size=40, max_per_img=300))
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='glip_mm.ZeroShotDataset',
        dataset_name='long_tail',
        data_root=_base_.data_root,
        ann_file=ann_file,
        data_prefix=_base_.image_prefix,
        image_names='coco_url',
        test_mode=True,
        pipeline=_base_.test_pipeline))
test_evaluator = [
    dict(type='glip_mm.LVISFixedAPMetric', ann_file=_base_.data_root + ann_file, fixed_ap=True),
    dict(
        type='glip_mm.LVISFixedAPMetric',
        ann_file=_base_.data_root + ann_file,
        fixed_ap=False,
        prefix='lvis_standard'),
]
