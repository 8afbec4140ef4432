# The quickstart's model on sentences, by both protocols of Flickr30k Entities: any box of a phrase
# counts, or the box around all of them.
_base_ = '../quickstart/glip_nano_grounding-world.py'

test_pipeline = [
    *_base_.test_pipeline[:-1],
    dict(
        type='PackDetInputs',
        meta_keys=(*_base_.meta_keys, 'tokens_positive', 'phrases', 'phrase_types',
                   'sentence_id', 'dataset_name'))
]
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='glip_mm.Flickr30kEntitiesDataset',
        dataset_name='sentences',
        data_root=_base_.data_root,
        ann_file='annotations/entities/test.txt',
        data_prefix=dict(img='images/test/'),
        test_mode=True,
        pipeline=test_pipeline))
test_evaluator = dict(_delete_=True, type='glip_mm.PhraseGroundingMetric', protocol='both')
