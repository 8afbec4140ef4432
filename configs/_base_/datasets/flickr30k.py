# Flickr30k Entities, a caption and its phrases at a time. The 100 detections of an image are shared
# by all phrases of the caption. Two box protocols in one run: any box of a phrase counts, or the
# box around all of them.
_base_ = './zero_shot_pipelines.py'

data_root = 'data/flickr30k/'
test_dataloader = dict(
    dataset=dict(
        type='glip_mm.Flickr30kEntitiesDataset',
        data_root=data_root,
        data_prefix=dict(img='flickr30k_images/'),
        test_mode=True,
        pipeline=_base_.phrase_pipeline))
test_evaluator = dict(type='glip_mm.PhraseGroundingMetric', protocol='both', topk=(1, 5, 10))

# model.test_cfg of this benchmark
protocol = dict(last_pixel=False)
