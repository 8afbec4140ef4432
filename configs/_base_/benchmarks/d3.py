# D3, described object detection: 422 descriptions, each image asked for those of its scenario
# One description in a prompt. With model.test_cfg.chunked_size=-1 those of an image share one.
_base_ = '../datasets/zero_shot_pipelines.py'

benchmark = 'd3'
data_root = 'data/d3/'

protocol = dict(chunked_size=1)
test_dataloader = dict(
    dataset=dict(
        type='glip_mm.DescriptionDataset',
        dataset_name='d3',
        data_root=data_root,
        ann_file='d3_json/d3_full_annotations.json',
        scenarios='d3_pkl',
        data_prefix=dict(img='d3_images/'),
        test_mode=True,
        pipeline=[
            *_base_.test_pipeline[:-1],
            dict(type='PackDetInputs', meta_keys=(*_base_.meta_keys, 'category_ids')),
        ]))
test_evaluator = dict(
    type='glip_mm.DescriptionMetric',
    subsets=dict(
        FULL=data_root + 'd3_json/d3_full_annotations.json',
        PRES=data_root + 'd3_json/d3_pres_annotations.json',
        ABS=data_root + 'd3_json/d3_abs_annotations.json'))
