# RefCOCO, RefCOCO+ and RefCOCOg, eight splits in one run
# MDETR's files; an expression is one phrase of all its words.
_base_ = '../datasets/zero_shot_pipelines.py'

benchmark = 'refcoco'
# images of COCO train2014
data_root = 'data/coco/'
splits = ('refcoco_val', 'refcoco_testA', 'refcoco_testB', 'refcoco+_val', 'refcoco+_testA',
          'refcoco+_testB', 'refcocog_val', 'refcocog_test')

test_dataloader = dict(
    dataset=dict(
        type='glip_mm.ConcatDataset',
        pipeline=_base_.phrase_pipeline,
        datasets=[
            dict(
                type='glip_mm.MDETRPhraseDataset',
                target='expression',
                dataset_name=split,
                data_root=data_root,
                ann_file=f'mdetr_annotations/finetune_{split}.json',
                data_prefix=dict(img='train2014/'),
                test_mode=True) for split in splits
        ]))
# precision at k of each split by itself
test_evaluator = dict(type='glip_mm.RefCOCOMetric', topk=(1, 5, 10))
